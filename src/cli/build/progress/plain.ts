/**
 * `--progress plain`: lines as BuildKit writes them (buildkit, util/progress/progressui), where nobody can redraw. One step has the word at a time;
 * it is interrupted when another is done, has waited long or says much more.
 */
import type { VertexStatus } from '../../../buildkit/index.ts';
import type { Nanos } from '../../../std/index.ts';
import { amountText } from './format.ts';
import { isCanceled, isDone, lastInterval, secondsOf, type Trace, type TracedVertex } from './trace.ts';

/** Milliseconds that a step keeps the word, at least, and that others may have to wait for it. */
const leastTurnMs = 5_000;
const longestWaitMs = 10_000;

/** A status is told again after five seconds or at a twentieth more. */
const leastStatusPause: Nanos = 5_000_000_000n;
const leastStatusGain = 0.05;

/** How many of its last lines are told of a step that failed. */
const errorLines = 10;

interface Speaker {
  /** From 1 on, in the order of their first words; 0 before. */
  index: number;
  /** Since when it has news, in milliseconds; undefined while it has none. */
  since: number | undefined;
  /** How many times it had some since. */
  count: number;
  warnings: number;
  /** Statuses as they were told. */
  readonly told: Map<string, VertexStatus>;
  /** Its last line has no end yet. */
  isOpenLine: boolean;
}

export class PlainPrinter {
  readonly #write: (text: string) => void;
  readonly #description: string;
  readonly #speakers = new Map<string, Speaker>();
  #current: string | undefined;
  #introduced = 0;
  #isSilent = true;

  /** @param description said first: who builds */
  constructor(write: (text: string) => void, description: string) {
    this.#write = write;
    this.#description = description;
  }

  /** Says what is new. @param now in milliseconds, of any clock */
  print(trace: Trace, now: number): void {
    const fresh = [...trace.changed].map((digest) => trace.byDigest.get(digest)!);
    for (const vertex of fresh) {
      const speaker = this.#speakerOf(vertex);
      speaker.since ??= now;
      speaker.count++;
    }
    const current = this.#current;
    const done = fresh.filter((vertex) => vertex.told.started !== undefined && isDone(vertex));
    const isDoneNow = done.some(({ digest }) => digest === current);
    if (isDoneNow) this.#say(trace, trace.byDigest.get(current!)!);
    for (const vertex of done.sort(byStop)) if (vertex.digest !== current) this.#say(trace, vertex);
    const rest = fresh.filter((vertex) => vertex.told.started !== undefined && !isDone(vertex));
    if (rest.length === 0) {
      const open = trace.vertexes.filter((vertex) => !isDone(vertex));
      // Whoever goes on has the word.
      if (open.length > 0 && !open.some(({ digest }) => digest === current)) this.#say(trace, open[0]!);
      return;
    }
    if (rest.some(({ digest }) => digest === current)) this.#say(trace, trace.byDigest.get(current!)!);
    this.#passOn(trace, rest, isDoneNow || current === undefined, now);
  }

  /** Says what is left, and the last lines of steps that failed. */
  finish(trace: Trace, now: number): void {
    this.print(trace, now);
    this.#write(errorLogs(trace, errorLines));
  }

  /** Decides who speaks next of those that go on. */
  #passOn(trace: Trace, rest: readonly TracedVertex[], isFree: boolean, now: number): void {
    const current = this.#current === undefined ? undefined : trace.byDigest.get(this.#current);
    const all = current === undefined || rest.includes(current) ? rest : [...rest, current];
    const measures = all.map((vertex) => {
      const { since = now, count } = this.#speakerOf(vertex);
      const waitedMs = now - since;
      const isLate = waitedMs > longestWaitMs && vertex !== current;
      return { vertex, waitedMs, isLate, speed: count / Math.max(waitedMs, 1) };
    });
    const loudest = measures.reduce((a, b) => (b.isLate || b.speed > a.speed ? b : a));
    if (isFree) return this.#say(trace, loudest.vertex);
    const late = measures.find(({ isLate }) => isLate);
    if (late !== undefined) return this.#say(trace, late.vertex);
    const own = measures.find(({ vertex }) => vertex === current);
    const total = measures.reduce((sum, { speed }) => sum + speed, 0);
    const share = own === undefined || total === 0 ? 0 : own.speed / total;
    if (own !== undefined && leastTurnMs / (1 - share) < own.waitedMs) this.#say(trace, loudest.vertex);
  }

  #speakerOf({ digest }: TracedVertex): Speaker {
    const known = this.#speakers.get(digest);
    if (known !== undefined) return known;
    const speaker = { index: 0, since: undefined, count: 0, warnings: 0, told: new Map(), isOpenLine: false };
    this.#speakers.set(digest, speaker);
    return speaker;
  }

  #say(trace: Trace, vertex: TracedVertex): void {
    const speaker = this.#introduce(vertex);
    const line = (text: string): void => this.#write(`#${speaker.index} ${text}\n`);
    const isOpen = tellStatuses(vertex, speaker, line);
    for (const { short } of vertex.warnings.slice(speaker.warnings)) line(`WARN: ${short}`);
    speaker.warnings = vertex.warnings.length;
    this.#tellOutput(vertex, speaker);
    trace.changed.delete(vertex.digest);
    this.#current = vertex.digest;
    if (!isDone(vertex) || isOpen) return;
    this.#current = undefined;
    speaker.since = undefined;
    speaker.count = 0;
    if (speaker.isOpenLine) this.#write('\n');
    speaker.isOpenLine = false;
    line(ending(vertex));
  }

  /** Gives it the word: interrupts who has it. */
  #introduce(vertex: TracedVertex): Speaker {
    const speaker = this.#speakerOf(vertex);
    if (speaker.index === 0) speaker.index = ++this.#introduced;
    if (vertex.digest === this.#current) return speaker;
    const interrupted = this.#current === undefined ? undefined : this.#speakers.get(this.#current);
    if (interrupted !== undefined) {
      if (interrupted.isOpenLine) this.#write('\n');
      interrupted.isOpenLine = false;
      interrupted.count = 0;
      interrupted.since = undefined;
      this.#write(`#${interrupted.index} ...\n`);
    }
    this.#write(this.#isSilent ? `#0 ${this.#description}\n\n` : '\n');
    this.#isSilent = false;
    this.#write(`#${speaker.index} ${vertex.told.name}\n`);
    return speaker;
  }

  #tellOutput(vertex: TracedVertex, speaker: Speaker): void {
    const { lines } = vertex.news;
    lines.forEach(({ text, continues }, index) => {
      const isWhole = index < lines.length - 1 || !vertex.output.isPartial;
      const start = continues && speaker.isOpenLine ? '' : `#${speaker.index} `;
      this.#write(`${start}${text}${isWhole ? '\n' : ''}`);
      speaker.isOpenLine = !isWhole;
    });
    lines.length = 0;
  }
}

/** @returns whether one that was told goes on */
function tellStatuses({ statuses, news }: TracedVertex, { told }: Speaker, line: (text: string) => void): boolean {
  let isOpen = false;
  for (const status of statuses.values()) {
    if (!news.statuses.has(status.id) || !isWorthTelling(status, told.get(status.id))) continue;
    told.set(status.id, status);
    const amount = amountText(status);
    const took =
      status.started === undefined ? 0 : Number((status.completed ?? status.timestamp) - status.started) / 1e9;
    const parts = [
      status.id,
      amount === '' ? [] : amount,
      took > 0.01 ? `${took.toFixed(1)}s` : [],
      status.completed === undefined ? [] : 'done',
    ];
    line(parts.flat().join(' '));
    if (status.completed === undefined) isOpen = true;
  }
  news.statuses.clear();
  return isOpen;
}

function isWorthTelling(status: VertexStatus, before: VertexStatus | undefined): boolean {
  if (before === undefined || status.completed !== undefined) return true;
  const gain = status.total > 0 ? (status.current - before.current) / status.total : 0;
  return gain >= leastStatusGain || status.timestamp - before.timestamp >= leastStatusPause;
}

function ending({ told, intervals }: TracedVertex): string {
  if (told.error !== '') return isCanceled(told) ? 'CANCELED' : `ERROR: ${told.error}`;
  if (told.cached) return 'CACHED';
  return `DONE ${secondsOf(intervals.values(), 0n).toFixed(1)}s`;
}

function byStop(a: TracedVertex, b: TracedVertex): number {
  const [first = 0n, second = 0n] = [lastInterval(a)?.stop, lastInterval(b)?.stop];
  return first < second ? -1 : first > second ? 1 : 0;
}

/** The last output of steps that failed. */
export function errorLogs(trace: Trace, lines: number): string {
  return trace.failed
    .map(({ told, output }) => {
      const shown = output.last.slice(-lines).map((line) => `${line}\n`);
      return `------\n > ${told.name}:\n${shown.join('')}------\n`;
    })
    .join('');
}
