/** One build's progress: what it does beside its plan's steps, as steps of their own, and how much output is told. */
import type { BuildEvent, BuildSourceRange } from '../../api/index.ts';
import { type Digest, sha256 } from '../../oci/index.ts';
import { Channel, explainDiskError, formatNanos, messageOf, type Nanos } from '../../std/index.ts';

/** Bytes that a step's output is told of, as in BuildKit (BUILDKIT_STEP_LOG_MAX_SIZE). */
const outputLimit = 2 << 20;

/** The step that ended with an error first. */
export interface FailedStep {
  vertex: string;
  name: string;
  source: BuildSourceRange | undefined;
}

export interface Task {
  /** The step's own id, for what refers to it. */
  readonly vertex: Digest;
  /** A part of it, told again as it goes on; `done` ends it. Bytes; a total of 0 is not known. */
  status(id: string, current: number, total: number, done: boolean): void;
  log(text: string): void;
}

export class Progress {
  readonly events = new Channel<BuildEvent>();
  failed: FailedStep | undefined;
  readonly #file: string;
  readonly #now: () => Nanos;
  readonly #told = new Map<string, number>();

  /** `file` is the Dockerfile's name, which the solver's steps do not know. */
  constructor(file: string, now: () => Nanos) {
    this.#file = file;
    this.#now = now;
  }

  readonly emit = (event: BuildEvent): void => {
    if (event.kind === 'log') this.#tell(event);
    else if (event.kind === 'vertex') this.#step(event);
    else this.events.push(event);
  };

  /** Does the work as a step of that name. @throws what the work throws */
  async task<Result>(
    name: string,
    work: (task: Task) => Promise<Result>,
    more: { source?: BuildSourceRange | undefined; cached?: (result: Result) => boolean } = {},
  ): Promise<Result> {
    const vertex = taskVertex(name);
    const started = this.#time();
    const tell = (state: { completed?: string; error?: string; cached?: boolean }): void =>
      this.emit({
        kind: 'vertex',
        digest: vertex,
        name,
        inputs: [],
        cached: state.cached ?? false,
        started,
        completed: state.completed,
        error: state.error,
        source: more.source,
      });
    tell({});
    const begun = new Map<string, string>();
    const task: Task = {
      vertex,
      status: (id, current, total, done) => {
        const timestamp = this.#time();
        if (!begun.has(id)) begun.set(id, timestamp);
        const times = { started: begun.get(id), completed: done ? timestamp : undefined };
        this.emit({ kind: 'status', vertex, id, name: id, current, total, timestamp, ...times });
      },
      log: (text) =>
        this.emit({ kind: 'log', vertex, stream: 'stdout', data: Buffer.from(text), timestamp: this.#time() }),
    };
    try {
      const result = await work(task);
      tell({ completed: this.#time(), cached: more.cached?.(result) ?? false });
      return result;
    } catch (error) {
      tell({ completed: this.#time(), error: messageOf(explainDiskError(error)) });
      throw error;
    }
  }

  #step(event: Extract<BuildEvent, { kind: 'vertex' }>): void {
    const source = event.source?.file === '' ? { ...event.source, file: this.#file } : event.source;
    if (event.error !== undefined) this.failed ??= { vertex: event.digest, name: event.name, source };
    this.events.push({ ...event, source });
  }

  #tell(event: Extract<BuildEvent, { kind: 'log' }>): void {
    const before = this.#told.get(event.vertex) ?? 0;
    if (before > outputLimit) return;
    this.#told.set(event.vertex, before + event.data.length);
    const room = outputLimit - before;
    this.events.push(event.data.length <= room ? event : { ...event, data: event.data.subarray(0, room) });
    if (event.data.length <= room) return;
    const data = Buffer.from(`\n[output clipped, log limit ${outputLimit >> 20}MiB reached]\n`);
    this.events.push({ ...event, stream: 'stderr', data });
    this.#told.set(event.vertex, outputLimit + 1);
  }

  #time(): string {
    return formatNanos(this.#now());
  }
}

export function taskVertex(name: string): Digest {
  return sha256(`task ${name}`);
}
