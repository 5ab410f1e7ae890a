/** Runs tasks with a bound on how many at once; the first failure aborts the rest and is thrown after all have settled. */

export async function gather<T>(
  tasks: readonly ((signal: AbortSignal) => Promise<T>)[],
  options: { limit: number; signal?: AbortSignal },
): Promise<T[]> {
  const controller = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, controller.signal]) : controller.signal;
  const results: T[] = Array.from({ length: tasks.length });
  let next = 0;
  let failure: { error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (next < tasks.length && failure === undefined && !signal.aborted) {
      const index = next++;
      try {
        results[index] = await tasks[index]!(signal);
      } catch (error) {
        failure ??= { error };
        controller.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.limit, tasks.length) }, worker));
  if (failure !== undefined) throw failure.error;
  options.signal?.throwIfAborted();
  return results;
}
