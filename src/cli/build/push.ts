/** Pushes what was built, told as a step of the build. */
import type { ProgressMessage } from '../../api/index.ts';
import type { SolveStatus, VertexStatus } from '../../buildkit/index.ts';
import { Fault, messageOf, type Nanos, nowNanos } from '../../std/index.ts';
import { authHeaderFor, familiarRepository, parseImageName, registryOf } from '../../context/index.ts';
import type { Session } from '../session.ts';

/** @throws Fault with the registry's refusal */
export async function pushBuilt(
  session: Session,
  reference: string,
  { onStatus, signal }: { onStatus: (status: SolveStatus) => void; signal: AbortSignal },
): Promise<void> {
  const client = await session.client();
  const name = parseImageName(reference);
  const auth = await authHeaderFor(session, registryOf(name));
  const step = new PushStep(reference, onStatus);
  try {
    const lines = client.images.push(familiarRepository(name), { tag: name.tag ?? 'latest' }, auth, signal);
    for await (const line of lines) {
      const failure = line.errorDetail?.message ?? line.error;
      if (failure !== undefined) throw new Fault('unavailable', `failed to push ${reference}: ${failure}`);
      step.take(line);
    }
    step.end('');
  } catch (error) {
    step.end(signal.aborted ? 'context canceled' : messageOf(error));
    // Not what the broken connection says.
    signal.throwIfAborted();
    throw error;
  }
}

class PushStep {
  readonly #digest: string;
  readonly #name: string;
  readonly #started: Nanos = nowNanos();
  readonly #onStatus: (status: SolveStatus) => void;
  /** Of each layer, what it is doing. */
  readonly #layers = new Map<string, VertexStatus>();

  constructor(reference: string, onStatus: (status: SolveStatus) => void) {
    this.#name = `pushing ${reference} with docker`;
    // No step of the builder's, and like none.
    this.#digest = this.#name;
    this.#onStatus = onStatus;
    this.#tell({ completed: undefined, error: '' });
  }

  take({ id, status, progressDetail }: ProgressMessage): void {
    if (id === undefined || id === '' || status === undefined || status === 'Waiting') return;
    const now = nowNanos();
    const isOver = /^(?:Pushed|Layer already exists|Mounted from)/.test(status);
    const before = this.#layers.get(id);
    const layer: VertexStatus = {
      id: `${isOver && before === undefined ? status.toLowerCase() : 'pushing layer'} ${id}`,
      vertex: this.#digest,
      name: status,
      current: progressDetail?.current ?? before?.current ?? 0,
      total: progressDetail?.total ?? before?.total ?? 0,
      timestamp: now,
      started: before?.started ?? now,
      completed: isOver ? now : undefined,
    };
    this.#layers.set(id, layer);
    this.#onStatus({ ...nothing, statuses: [before === undefined ? layer : { ...layer, id: before.id }] });
  }

  end(error: string): void {
    this.#tell({ completed: nowNanos(), error });
  }

  #tell({ completed, error }: { completed: Nanos | undefined; error: string }): void {
    const vertex = { digest: this.#digest, name: this.#name, inputs: [], cached: false, started: this.#started };
    this.#onStatus({ ...nothing, vertexes: [{ ...vertex, completed, error }] });
  }
}

const nothing = { vertexes: [], statuses: [], logs: [], warnings: [] };
