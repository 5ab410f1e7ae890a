/** One Control.Solve and what its client does beside it: frontends it asks for through the bridge, the progress it follows, what it returns. */
import type { BuildResult, BuildRun } from '../../api/index.ts';
import { Channel, Fault, randomId } from '../../std/index.ts';
import type { GrpcFault } from '../grpc/status.ts';
import type { solveRequest } from '../message/control.ts';
import type { Message } from '../protobuf/field.ts';
import type { Session } from '../session/session.ts';
import { type StatusMessage, statusMessage, type VertexName } from './status.ts';

/** A frontend's result that the client may name. */
interface Built {
  id: string;
  result: BuildResult;
}

export interface Returned {
  ref: string | undefined;
  fault: GrpcFault | undefined;
}

export class Job {
  readonly request: Message<typeof solveRequest>;
  readonly session: Session;
  readonly signal: AbortSignal;
  readonly #runs = new Channel<AsyncIterable<StatusMessage>>();
  readonly #telling: Promise<void>[] = [];
  readonly #built = new Map<string, Built>();
  /** Ids of builds that are held for this client. */
  readonly #held: string[] = [];
  readonly #returned = Promise.withResolvers<Returned>();
  isFinished = false;
  isFollowed = false;
  /** Hears all progress, followed or not. */
  record: (message: StatusMessage) => void = () => {};

  constructor(request: Message<typeof solveRequest>, session: Session, signal: AbortSignal) {
    this.request = request;
    this.session = session;
    this.signal = signal;
  }

  /** Follows a run to its end and keeps its result under a new reference. @throws what the run throws */
  async complete(run: BuildRun, nameOf: VertexName): Promise<Built> {
    const messages = new Channel<StatusMessage>();
    this.#runs.push(messages);
    this.#telling.push(this.#tell(run, nameOf, messages));
    const built = { id: randomId(), result: await run.result };
    this.#built.set(built.id, built);
    return built;
  }

  /** @throws Fault not-found */
  built(ref: string): BuildResult {
    const found = this.#built.get(ref);
    if (found === undefined) throw new Fault('not-found', `no such ref: ${ref}`);
    return found.result;
  }

  /** Keeps in mind to let go of a build at the end. */
  holds(build: string): void {
    this.#held.push(build);
  }

  return(returned: Returned): void {
    this.#returned.resolve(returned);
  }

  /** What the client returned. @throws the signal's reason */
  async returned(): Promise<Returned> {
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(this.signal.reason as Error);
    this.signal.addEventListener('abort', abort, { once: true });
    if (this.signal.aborted) abort();
    try {
      return await Promise.race([this.#returned.promise, promise]);
    } finally {
      this.signal.removeEventListener('abort', abort);
    }
  }

  /** No more runs: the status ends once it is told. */
  finish(): void {
    this.isFinished = true;
    this.#runs.close();
  }

  get held(): readonly string[] {
    return this.#held;
  }

  /** Progress from the first run on, for one follower. @throws Fault conflict */
  async *status(): AsyncGenerator<StatusMessage, void, void> {
    if (this.isFollowed) throw new Fault('conflict', `Cannot follow build ${this.request.ref}: it is followed already`);
    this.isFollowed = true;
    for await (const messages of this.#runs) yield* messages;
  }

  /** When all progress of the runs so far was told. */
  async told(): Promise<void> {
    await Promise.all(this.#telling);
  }

  async #tell(run: BuildRun, nameOf: VertexName, messages: Channel<StatusMessage>): Promise<void> {
    try {
      for await (const event of run.events) {
        const message = statusMessage(event, nameOf);
        if (message === undefined) continue;
        messages.push(message);
        this.record(message);
      }
    } catch {
      // Why it failed is its result's to say.
    } finally {
      messages.close();
    }
  }
}
