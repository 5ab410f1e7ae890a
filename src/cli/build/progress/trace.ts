/** What a build told so far, kept as displays need it: steps in the order they began, their times, statuses, warnings and output. */
import { StringDecoder } from 'node:string_decoder';
import type { SolveStatus, SolveVertex, VertexLog, VertexStatus, VertexWarning } from '../../../buildkit/index.ts';
import type { Nanos } from '../../../std/index.ts';

export interface Interval {
  start: Nanos;
  stop: Nanos | undefined;
}

export interface TracedVertex {
  readonly digest: string;
  told: SolveVertex;
  /** A step may be done again, for another part of its result. */
  readonly intervals: Map<Nanos, Interval>;
  /** Those that have begun, in that order. */
  readonly statuses: Map<string, VertexStatus>;
  readonly warnings: VertexWarning[];
  readonly output: StepOutput;
  /** What a display has not shown yet. */
  readonly news: { statuses: Set<string>; lines: NewLine[] };
}

export interface NewLine {
  text: string;
  /** It goes on with a line that was shown without its end. */
  continues: boolean;
}

export interface StepOutput {
  /** The last lines, each with its seconds since the step began: "0.123 text". */
  readonly last: string[];
  /** The last line without an end, as it is in `last`. */
  isPartial: boolean;
  bytes: number;
  readonly decoders: Map<number, StringDecoder>;
}

/** As many lines as are shown of a step that failed. */
const keptLines = 100;

export class Trace {
  /** In the order in which they began. */
  readonly vertexes: TracedVertex[] = [];
  readonly byDigest = new Map<string, TracedVertex>();
  /** Digests of those with news. */
  readonly changed = new Set<string>();
  /** The build's own clock: when its first step began. */
  began: Nanos | undefined;

  update({ vertexes, statuses, logs, warnings }: SolveStatus): void {
    for (const vertex of vertexes) this.#vertex(vertex);
    for (const status of statuses) this.#status(status);
    for (const warning of warnings) {
      const vertex = this.byDigest.get(warning.vertex);
      vertex?.warnings.push(warning);
      if (vertex !== undefined) this.changed.add(vertex.digest);
    }
    for (const log of logs) this.#log(log);
  }

  get warnings(): VertexWarning[] {
    return [...this.byDigest.values()].flatMap((vertex) => vertex.warnings);
  }

  /** Steps that failed, not those that were only stopped. */
  get failed(): TracedVertex[] {
    return this.vertexes.filter(({ told }) => told.error !== '' && !isCanceled(told));
  }

  #vertex(told: SolveVertex): void {
    const known = this.byDigest.get(told.digest);
    const vertex = known ?? newVertex(told);
    if (known === undefined) this.byDigest.set(told.digest, vertex);
    const hadBegun = known?.told.started !== undefined;
    if (told.started !== undefined) {
      this.began ??= told.started;
      if (!hadBegun) this.vertexes.push(vertex);
      if (known === undefined || !sameVertex(known.told, told)) this.changed.add(told.digest);
      vertex.intervals.set(told.started, { start: told.started, stop: told.completed });
    }
    // Told once more as not begun, as every build of a shared step does, it keeps what is known.
    if (!(hadBegun && told.started === undefined)) vertex.told = told;
  }

  #status(status: VertexStatus): void {
    const vertex = this.byDigest.get(status.vertex);
    if (vertex === undefined) return;
    if (status.started !== undefined || vertex.statuses.has(status.id)) vertex.statuses.set(status.id, status);
    vertex.news.statuses.add(status.id);
    this.changed.add(vertex.digest);
  }

  #log({ vertex: digest, stream, data, timestamp }: VertexLog): void {
    const vertex = this.byDigest.get(digest);
    if (vertex === undefined) return;
    const { output, news } = vertex;
    const decoder = output.decoders.get(stream) ?? new StringDecoder();
    output.decoders.set(stream, decoder);
    const text = decoder.write(Buffer.from(data));
    output.bytes += data.length;
    if (text === '') return;
    const since = secondsText(timestamp - (lastInterval(vertex)?.start ?? timestamp));
    const pieces = text.split('\n');
    const ends = pieces.at(-1) === '';
    if (ends) pieces.pop();
    for (const piece of pieces) {
      const unshown = news.lines.at(-1);
      if (!output.isPartial) {
        output.last.push(`${since} ${piece}`);
        news.lines.push({ text: `${since} ${piece}`, continues: false });
      } else {
        output.last[output.last.length - 1] += piece;
        if (unshown === undefined) news.lines.push({ text: piece, continues: true });
        else unshown.text += piece;
      }
      output.isPartial = false;
    }
    output.isPartial = !ends;
    if (output.last.length > keptLines) output.last.splice(0, output.last.length - keptLines);
    this.changed.add(digest);
  }
}

export function lastInterval({ intervals }: TracedVertex): Interval | undefined {
  let last: Interval | undefined;
  for (const each of intervals.values()) if (last === undefined || each.start > last.start) last = each;
  return last;
}

export function isDone(vertex: TracedVertex): boolean {
  return lastInterval(vertex)?.stop !== undefined;
}

export function isCanceled({ error }: SolveVertex): boolean {
  return error.endsWith('context canceled');
}

/** Seconds that a step took, overlapping intervals once. @param now for those that go on */
export function secondsOf(intervals: Iterable<Interval>, now: Nanos): number {
  let total = 0n;
  let until = 0n;
  for (const { start, stop = now } of [...intervals].sort((a, b) => (a.start < b.start ? -1 : 1))) {
    const from = start > until ? start : until;
    if (stop > from) total += stop - from;
    if (stop > until) until = stop;
  }
  return Number(total) / 1e9;
}

function newVertex(told: SolveVertex): TracedVertex {
  return {
    digest: told.digest,
    told,
    intervals: new Map(),
    statuses: new Map(),
    warnings: [],
    output: { last: [], isPartial: false, bytes: 0, decoders: new Map() },
    news: { statuses: new Set(), lines: [] },
  };
}

function sameVertex(a: SolveVertex, b: SolveVertex): boolean {
  return (
    a.name === b.name &&
    a.started === b.started &&
    a.completed === b.completed &&
    a.cached === b.cached &&
    a.error === b.error
  );
}

/** Four digits, more for long: "0.123", "12.30", "140.3". */
function secondsText(nanos: Nanos): string {
  const seconds = Number(nanos) / 1e9;
  return seconds.toFixed(seconds < 10 ? 3 : seconds < 100 ? 2 : 1);
}
