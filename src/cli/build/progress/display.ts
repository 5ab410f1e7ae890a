/** Shows a build's progress in the way that was asked for. */
import type { SolveStatus } from '../../../buildkit/index.ts';
import { nowNanos } from '../../../std/index.ts';
import type { Output } from '../../output/stream.ts';
import { frame } from './frame.ts';
import { errorLogs, PlainPrinter } from './plain.ts';
import { rawJsonLine } from './raw-json.ts';
import { Terminal } from './terminal.ts';
import { Trace } from './trace.ts';

export type ProgressMode = 'plain' | 'tty' | 'quiet' | 'rawjson';

export interface Display {
  readonly trace: Trace;
  update(status: SolveStatus): void;
  /** Shows the last of it. */
  stop(): void;
}

/** How often what is shown is brought up to date, in milliseconds. */
const frameMs = 100;

/** A person at a terminal sees more of what a failed step said than fits a log. */
const terminalErrorLines = 100;

export function openDisplay(
  mode: ProgressMode,
  out: Output,
  { builder, isColored }: { builder: string; isColored: boolean },
): Display {
  if (mode === 'tty') return terminalDisplay(out, builder, isColored);
  if (mode === 'plain') return plainDisplay(out);
  const trace = new Trace();
  return {
    trace,
    update(status) {
      trace.update(status);
      if (mode === 'rawjson') out.write(rawJsonLine(status));
    },
    stop() {},
  };
}

function plainDisplay(out: Output): Display {
  const trace = new Trace();
  // Lines that are due together are written at once.
  let text = '';
  const printer = new PlainPrinter((more) => {
    text += more;
  }, 'building with "default" instance using docker driver');
  const flush = (): void => {
    if (text !== '') out.write(text);
    text = '';
  };
  const refresh = (): void => {
    printer.print(trace, performance.now());
    flush();
  };
  let last = 0;
  const timer = setInterval(refresh, frameMs);
  return {
    trace,
    update(status) {
      trace.update(status);
      // What comes after a silence is told at once.
      if (performance.now() - last < frameMs) return;
      last = performance.now();
      refresh();
    },
    stop() {
      clearInterval(timer);
      printer.finish(trace, performance.now());
      flush();
    },
  };
}

function terminalDisplay(out: Output, builder: string, isColored: boolean): Display {
  const trace = new Trace();
  const terminal = new Terminal(out, isColored);
  const began = performance.now();
  let skew: bigint | undefined;
  const draw = (isLast: boolean): void => {
    // The builder's clock need not be ours.
    if (trace.began !== undefined) skew ??= nowNanos() - trace.began;
    terminal.draw(
      frame(trace, {
        width: out.columns,
        height: out.rows,
        now: nowNanos() - (skew ?? 0n),
        seconds: (performance.now() - began) / 1000,
        description: builder,
        isLast,
      }),
    );
  };
  const timer = setInterval(() => draw(false), frameMs);
  return {
    trace,
    update: (status) => trace.update(status),
    stop() {
      clearInterval(timer);
      draw(true);
      terminal[Symbol.dispose]();
      out.write(errorLogs(trace, terminalErrorLines));
    },
  };
}
