/** A stream that its signal ends: where following is stopped by aborting, the loop is over and nothing is thrown. */

export async function* ended<T>(source: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T, void> {
  const isOver = (): boolean => signal?.aborted === true;
  if (isOver()) return;
  try {
    for await (const item of source) {
      if (isOver()) return;
      yield item;
    }
  } catch (error) {
    // The connection that was cut is what was asked for.
    if (!isOver()) throw error;
  }
}
