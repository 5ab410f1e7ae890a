/** Ollama's API (/api/version, /api/tags, /api/chat, /api/pull, /api/embed), with patience that ends. */
import type { PullProgress } from '../../../api.ts';
import type { OllamaSettings } from '../config.ts';

/** What to tell the person; the model's own words stay what they are. */
export class OllamaFault extends Error {
  readonly isAway: boolean;

  constructor(message: string, isAway = false) {
    super(message);
    this.isAway = isAway;
  }
}

export interface Model {
  name: string;
  size: number;
  embedding: boolean;
}

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

const probeMs = 3_000;

export class Ollama {
  readonly #settings: OllamaSettings;

  constructor(settings: OllamaSettings) {
    this.#settings = settings;
  }

  /** @throws OllamaFault */
  async models(signal?: AbortSignal): Promise<{ version: string; models: Model[] }> {
    const { version } = await this.#json<{ version?: string }>('/api/version', undefined, probeMs, signal);
    const { models = [] } = await this.#json<{
      models?: { name: string; size?: number; details?: { family?: string } }[];
    }>('/api/tags', undefined, probeMs, signal);
    return {
      version: version ?? 'unknown',
      models: models.map(({ name, size = 0, details }) => ({
        name,
        size,
        embedding: /embed|bge|minilm|gte-/i.test(name) || /bert/i.test(details?.family ?? ''),
      })),
    };
  }

  /** Words as they come. Aborting ends it at Ollama's side, too. @throws OllamaFault */
  async *chat(model: string, messages: readonly Message[], signal: AbortSignal): AsyncGenerator<string, void, void> {
    let isDone = false;
    for await (const line of this.#lines('/api/chat', { model, messages, stream: true }, signal)) {
      const { message, done, error } = line as { message?: { content?: string }; done?: boolean; error?: string };
      if (error !== undefined) throw new OllamaFault(`Ollama says: ${error}`);
      if (message?.content !== undefined && message.content !== '') yield message.content;
      if (done === true) isDone = true;
    }
    if (!isDone)
      throw new OllamaFault('Ollama ended in the middle of the answer. What is here is all that came; ask again.');
  }

  /** @throws OllamaFault */
  async embed(model: string, input: readonly string[], signal: AbortSignal): Promise<number[][]> {
    const { embeddings } = await this.#json<{ embeddings?: number[][] }>(
      '/api/embed',
      { model, input, truncate: true },
      this.#settings.firstMs,
      signal,
    );
    if (embeddings?.length !== input.length) throw new OllamaFault(`The model ${model} made no embeddings.`);
    return embeddings;
  }

  async *pull(name: string, signal: AbortSignal): AsyncGenerator<PullProgress, void, void> {
    try {
      for await (const line of this.#lines('/api/pull', { model: name, stream: true }, signal)) {
        const {
          status = '',
          completed,
          total,
          error,
        } = line as { status?: string; completed?: number; total?: number; error?: string };
        if (error !== undefined) throw new OllamaFault(`Ollama cannot get ${name}: ${error}`);
        if (status === 'success') {
          yield { type: 'done' };
          return;
        }
        yield { type: 'progress', status, completed: completed ?? null, total: total ?? null };
      }
      throw new OllamaFault(`Ollama ended before ${name} was here. Pull it again: it goes on where it stopped.`);
    } catch (error) {
      yield { type: 'error', message: (error as Error).message };
    }
  }

  async #json<T>(path: string, body: object | undefined, patienceMs: number, signal?: AbortSignal): Promise<T> {
    const answer = await this.#fetch(
      path,
      body,
      AbortSignal.any([AbortSignal.timeout(patienceMs), ...(signal === undefined ? [] : [signal])]),
    );
    return (await answer.json()) as T;
  }

  /** Lines of JSON, each within its time. */
  async *#lines(path: string, body: object, signal: AbortSignal): AsyncGenerator<unknown, void, void> {
    const { firstMs, betweenMs } = this.#settings;
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), firstMs);
    const rest = (ms: number): void => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), ms);
    };
    try {
      const answer = await this.#fetch(path, body, AbortSignal.any([signal, silence.signal]));
      const decoder = new TextDecoder();
      let text = '';
      for await (const chunk of answer.body ?? []) {
        rest(betweenMs);
        text += decoder.decode(chunk as Uint8Array, { stream: true });
        if (text.length > 1_000_000) throw new OllamaFault('Ollama answered with a line that has no end.');
        const lines = text.split('\n');
        text = lines.pop()!;
        for (const line of lines) if (line.trim() !== '') yield parsed(line);
      }
      if (text.trim() !== '') yield parsed(text);
    } catch (error) {
      if (signal.aborted || error instanceof OllamaFault) throw error;
      if (silence.signal.aborted)
        throw new OllamaFault(
          'Ollama has been silent for too long, and was given up. A smaller model may do, or ask again.',
        );
      throw new OllamaFault('The connection to Ollama broke. What is here is all that came; ask again.');
    } finally {
      clearTimeout(timer);
    }
  }

  async #fetch(path: string, body: object | undefined, signal: AbortSignal): Promise<Response> {
    const { url } = this.#settings;
    let answer: Response;
    try {
      answer = await fetch(`${url}${path}`, {
        signal,
        ...(body === undefined
          ? {}
          : { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
      });
    } catch (error) {
      if (signal.aborted && (signal.reason as Error | undefined)?.name !== 'TimeoutError') throw error;
      throw new OllamaFault(
        `No Ollama answers at ${url}. Everything but answers in prose works without it. To have one: npm start -- --ai, or set OLLAMA_URL in stacks/pkc/.env.`,
        true,
      );
    }
    if (answer.ok) return answer;
    const { error } = ((await answer.json().catch(() => ({}))) ?? {}) as { error?: string };
    if (answer.status === 404)
      throw new OllamaFault(`Ollama has no such model (${error ?? 'not found'}). Pull it first, under Models.`);
    throw new OllamaFault(`Ollama refused (${answer.status}): ${error ?? 'it did not say why'}`);
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new OllamaFault('Ollama answered with what is not JSON.');
  }
}
