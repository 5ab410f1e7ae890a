/** What is fetched, with its failure in the backend's words and a way to try again. */
import type { ComponentChildren } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';

export type Loaded<T> =
  | { state: 'loading' }
  | { state: 'here'; value: T }
  | { state: 'failed'; message: string; status: number };

/** Loads anew when `key` changes; an answer that is late is dropped. */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>, key: unknown): [Loaded<T>, () => void] {
  const [loaded, set] = useState<Loaded<T>>({ state: 'loading' });
  const [round, again] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    load(stop.signal).then(
      (value) => !stop.signal.aborted && set({ state: 'here', value }),
      (error: Error & { status?: number }) =>
        !stop.signal.aborted && set({ state: 'failed', message: error.message, status: error.status ?? 0 }),
    );
    return () => stop.abort();
  }, [key, round]);
  return [loaded, useCallback(() => again((count) => count + 1), [])];
}

export function Shown<T>({
  of,
  retry,
  children,
}: {
  of: Loaded<T>;
  retry: () => void;
  children: (value: T) => ComponentChildren;
}) {
  if (of.state === 'loading') return <p class="hint">…</p>;
  if (of.state === 'failed')
    return (
      <div class="notice" role="alert">
        <p>{of.message}</p>
        <button type="button" onClick={retry}>
          Try again
        </button>
      </div>
    );
  return <>{children(of.value)}</>;
}
