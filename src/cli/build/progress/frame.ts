/**
 * What a terminal shows of a build at one moment, as lines: a header, a line for each step with its time and one for each of its transfers, and
 * the last output of the steps that run (buildkit, util/progress/progressui). Pure.
 */
import type { VertexStatus } from '../../../buildkit/index.ts';
import type { Nanos } from '../../../std/index.ts';
import { cutToWidth, displayWidth } from '../../output/display-width.ts';
import { amountText } from './format.ts';
import { isCanceled, isDone, secondsOf, type Trace, type TracedVertex } from './trace.ts';
import { cleaned, windowLines } from './window.ts';

export interface FrameLine {
  text: string;
  color: 'done' | 'error' | 'canceled' | 'output' | undefined;
}

export interface FrameOptions {
  width: number;
  height: number;
  /** The builder's time, now. */
  now: Nanos;
  /** Seconds since the build began here. */
  seconds: number;
  /** At the right of the header: who builds. */
  description: string;
  /** The last frame: all lines, however high the terminal is. */
  isLast: boolean;
}

/** Lines of output under a running step. */
const windowHeight = 6;

interface Row {
  vertex: TracedVertex | undefined;
  name: string;
  amount: string;
  seconds: number;
  isDone: boolean;
  color: FrameLine['color'];
}

export function frame(trace: Trace, options: FrameOptions): FrameLine[] {
  const { width, height, isLast } = options;
  const all = trace.vertexes.flatMap((vertex) => rowsOf(vertex, options.now));
  const windows = windowsOf(all, height);
  const hidden = [...windows.values()].reduce((sum, lines) => sum + lines.length, 0);
  const rows = isLast ? all : fitHeight(all, height - 2 - hidden);
  return [
    { text: header(trace, options), color: undefined },
    ...rows.flatMap((row) => [
      ...rowLine(row, width),
      ...(row.vertex === undefined || isLast ? [] : (windows.get(row.vertex) ?? [])).map((line) => ({
        text: cutToWidth(` => => # ${line}`, width),
        color: 'output' as const,
      })),
    ]),
  ];
}

function header(trace: Trace, { width, seconds, description, isLast }: FrameOptions): string {
  const total = trace.byDigest.size;
  const done = [...trace.byDigest.values()].filter(isDone).length;
  const state = isLast && total > 0 && done === total ? 'FINISHED' : '';
  return align(`[+] Building ${seconds.toFixed(1)}s (${done}/${total}) ${state}`, description, width - 1);
}

function rowsOf(vertex: TracedVertex, now: Nanos): Row[] {
  const { told, intervals, statuses, warnings } = vertex;
  const done = isDone(vertex);
  const mark = told.error === '' ? '' : isCanceled(told) ? 'CANCELED ' : 'ERROR ';
  const color = mark === 'CANCELED ' ? 'canceled' : mark === 'ERROR ' ? 'error' : 'done';
  const seconds = secondsOf(intervals.values(), now);
  return [
    {
      vertex,
      name: `${told.cached ? 'CACHED ' : ''}${mark}${cleaned(told.name)}`,
      amount: '',
      seconds,
      isDone: done,
      color: done ? color : undefined,
    },
    ...[...statuses.values()].map((status) => statusRow(status, now)),
    ...warnings.map(({ short }) => ({
      vertex: undefined,
      name: `WARN: ${cleaned(short)}`,
      amount: '',
      seconds,
      isDone: true,
      color: 'canceled' as const,
    })),
  ];
}

function statusRow(status: VertexStatus, now: Nanos): Row {
  const { id, started, completed } = status;
  return {
    vertex: undefined,
    name: `=> ${cleaned(id)}`,
    amount: amountText(status),
    seconds: started === undefined ? 0 : Math.max(0, Number((completed ?? now) - started) / 1e9),
    isDone: completed !== undefined,
    color: completed === undefined ? undefined : 'done',
  };
}

function rowLine({ name, amount, seconds, color }: Row, width: number): FrameLine[] {
  const timer = ` ${(seconds < 0.05 ? 0 : seconds).toFixed(1)}s`;
  let left = width - 4 - timer.length - 1;
  const showsAmount = amount !== '' && left + amount.length > 20;
  if (showsAmount) left -= amount.length + 1;
  // A terminal too narrow for anything.
  if (left < 12) return [];
  const text = ` => ${cutToWidth(name, left)}${showsAmount ? ` ${amount}` : ''}`;
  return [{ text: align(text, timer, width), color }];
}

/** The windows of steps that run and said something, where there is room: who said most comes first. */
function windowsOf(rows: readonly Row[], height: number): Map<TracedVertex, string[]> {
  const windows = new Map<TracedVertex, string[]>();
  const speaking = rows
    .flatMap(({ vertex, isDone: done }) => (vertex === undefined || done || vertex.output.bytes === 0 ? [] : [vertex]))
    .sort((a, b) => b.output.bytes - a.output.bytes);
  let free = height - 2 - rows.filter((row) => !row.isDone).length;
  for (const vertex of speaking) {
    if (free <= windowHeight + 3) break;
    windows.set(vertex, windowLines(vertex.output.last, windowHeight));
    free -= windowHeight + 3;
  }
  return windows;
}

/** The last rows that fit; those that go on take the place of those that are done. */
function fitHeight(rows: readonly Row[], limit: number): Row[] {
  if (limit <= 0) return [];
  if (rows.length <= limit) return [...rows];
  const shown = rows.slice(-limit);
  const above = rows.slice(0, -limit).filter((row) => !row.isDone);
  if (above.length === 0) return shown;
  let excess = above.length;
  const kept = shown.filter((row) => !row.isDone || excess-- <= 0);
  return [...above.slice(-(limit - kept.length) || above.length), ...kept].slice(-limit);
}

function align(left: string, right: string, width: number): string {
  const room = width - displayWidth(right);
  const cut = cutToWidth(left, Math.max(0, room));
  return `${cut}${' '.repeat(Math.max(0, room - displayWidth(cut)))}${right}`;
}
