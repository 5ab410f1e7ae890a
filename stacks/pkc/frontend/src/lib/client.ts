/** The backend's interface, called. Failures are told in its own words. */
import type { Problem } from '../../../api.ts';

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Told of each answer, or of none: whether the backend is there. */
let onPresence: (isThere: boolean) => void = () => {};
export function watchPresence(listener: (isThere: boolean) => void): void {
  onPresence = listener;
}

/** @throws ApiError; AbortError */
export async function call(
  path: string,
  options: { method?: string; body?: unknown; signal?: AbortSignal } = {},
): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method: options.method ?? 'GET',
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.body === undefined
        ? {}
        : { body: JSON.stringify(options.body), headers: { 'Content-Type': 'application/json' } }),
    });
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    onPresence(false);
    throw new ApiError(0, 'unreachable', 'PKC does not answer. Nothing is lost; this page tries again by itself.');
  }
  onPresence(![502, 503, 504].includes(answer.status));
  if (answer.ok) return answer;
  const { error } = ((await answer.json().catch(() => ({}))) ?? {}) as Partial<Problem>;
  throw new ApiError(
    answer.status,
    error?.code ?? 'unknown',
    error?.message ?? `The server answered ${answer.status}.`,
  );
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await call(path, signal === undefined ? {} : { signal })).json()) as T;
}

export async function sendJson<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await call(path, { method, body: body ?? {} });
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

/** An answer of JSON lines, as they come. */
export async function* lines<T>(path: string, body: unknown, signal: AbortSignal): AsyncGenerator<T, void, void> {
  const answer = await call(path, { method: 'POST', body, signal });
  yield* jsonLines<T>(answer.body!);
}

export async function* jsonLines<T>(stream: ReadableStream<Uint8Array>): AsyncGenerator<T, void, void> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      text += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const found = text.split('\n');
      text = done ? '' : found.pop()!;
      for (const line of found) if (line.trim() !== '') yield JSON.parse(line) as T;
      if (done) return;
    }
  } finally {
    reader.releaseLock();
  }
}
