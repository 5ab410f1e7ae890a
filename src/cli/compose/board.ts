/** How a project's things are doing: one line each, in place on a terminal, lines as they come elsewhere. */
import type { Progress } from '../../compose/index.ts';
import { ellipsis } from '../output/short.ts';
import type { Output } from '../output/stream.ts';

export type BoardMode = 'tty' | 'plain' | 'json' | 'quiet';

export interface Board {
  progress(progress: Progress): void;
  /** How far a transfer is; only a terminal shows it. */
  transfer(id: string, current: number, total: number): void;
  /** Something else is to be written: what is drawn stays above it. */
  pause(write: () => void): void;
  stop(): void;
}

export function openBoard(mode: BoardMode, out: Output, options: { title: string; isColored: boolean }): Board {
  if (mode === 'tty') return new TerminalBoard(out, options);
  const show = mode === 'plain' ? plainLine : mode === 'json' ? jsonLine : undefined;
  return {
    progress(progress) {
      if (show !== undefined) out.write(show(progress));
    },
    transfer() {},
    pause: (write) => write(),
    stop() {},
  };
}

/** As docker compose writes it. */
function plainLine({ id, text }: Progress): string {
  return ` ${id}  ${text}\n`;
}

function jsonLine({ id, text }: Progress): string {
  return `${JSON.stringify({ id, status: text })}\n`;
}

interface Row {
  id: string;
  state: Progress['state'];
  text: string;
  began: number;
  ended: number | undefined;
  transfer: { current: number; total: number } | undefined;
}

const frameMs = 100;
const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const marks: Readonly<Record<Progress['state'], string>> = { working: '', done: '✔', warning: '!', error: '✘' };
const colors: Readonly<Record<Progress['state'], string>> = {
  working: '33',
  done: '32',
  warning: '33;1',
  error: '31;1',
};

class TerminalBoard implements Board {
  readonly #out: Output;
  readonly #title: string;
  readonly #isColored: boolean;
  readonly #rows = new Map<string, Row>();
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;
  #frame = 0;
  #isStopped = false;

  constructor(out: Output, { title, isColored }: { title: string; isColored: boolean }) {
    this.#out = out;
    this.#title = title;
    this.#isColored = isColored;
    this.#timer = setInterval(() => this.#draw(), frameMs);
    this.#timer.unref();
  }

  progress({ id, state, text }: Progress): void {
    const now = performance.now();
    const row = this.#rows.get(id) ?? { id, state, text, began: now, ended: undefined, transfer: undefined };
    row.state = state;
    row.text = text;
    row.ended = state === 'working' ? undefined : now;
    if (state !== 'working') row.transfer = undefined;
    this.#rows.set(id, row);
  }

  transfer(id: string, current: number, total: number): void {
    const row = this.#rows.get(id);
    if (row !== undefined) row.transfer = { current, total };
  }

  pause(write: () => void): void {
    this.#draw();
    this.#drawn = 0;
    write();
  }

  /** Draws the last of it, once: what is written afterwards stays. */
  stop(): void {
    if (this.#isStopped) return;
    clearInterval(this.#timer);
    this.#draw();
    this.#isStopped = true;
  }

  #draw(): void {
    if (this.#rows.size === 0 || this.#isStopped) return;
    this.#frame++;
    const rows = [...this.#rows.values()];
    const width = Math.max(...rows.map(({ id }) => id.length));
    // What does not fit the screen cannot be drawn over: what is done long since makes room.
    const room = Math.max(1, this.#out.rows - 2);
    const shown = rows.length <= room ? rows : [...rows].sort((a, b) => rank(b) - rank(a)).slice(0, room);
    const done = rows.filter(({ state }) => state !== 'working').length;
    const head = `[+] ${this.#title} ${done}/${rows.length}`;
    const lines = [this.#paint(done === rows.length ? '34' : '0', head), ...shown.map((row) => this.#line(row, width))];
    const up = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A`;
    const rest = Math.max(0, this.#drawn - lines.length);
    const text = lines.map((line) => `\r\x1b[K${line}\n`).join('') + '\x1b[K\n'.repeat(rest);
    this.#out.write(`${up}${text}${rest === 0 ? '' : `\x1b[${rest}A`}`);
    this.#drawn = lines.length;
  }

  #line({ id, state, text, began, ended, transfer }: Row, width: number): string {
    const seconds = `${(((ended ?? performance.now()) - began) / 1000).toFixed(1)}s`;
    const mark = state === 'working' ? spinner[this.#frame % spinner.length]! : marks[state];
    const said = transfer === undefined ? text : `${text} ${bar(transfer)}`;
    const left = ` ${mark} ${id.padEnd(width)}  `;
    const room = Math.max(8, this.#out.columns - left.length - seconds.length - 2);
    const shown = ellipsis(said.split('\n')[0]!, room);
    const gap = ' '.repeat(Math.max(1, this.#out.columns - left.length - shown.length - seconds.length - 1));
    return ` ${this.#paint(colors[state], mark)} ${id.padEnd(width)}  ${this.#paint(state === 'working' ? '0' : colors[state], shown)}${gap}${this.#paint('34', seconds)}`;
  }

  #paint(color: string, text: string): string {
    return this.#isColored ? `\x1b[${color}m${text}\x1b[0m` : text;
  }
}

/** What goes on, or went wrong, is shown before what is done; then the latest. */
function rank({ state, began }: Row): number {
  return (state === 'working' ? 2e12 : state === 'done' ? 0 : 1e12) + began;
}

function bar({ current, total }: { current: number; total: number }): string {
  if (total <= 0) return '';
  const part = Math.min(1, current / total);
  const cells = 20;
  const filled = Math.round(part * cells);
  return `[${'='.repeat(filled)}${' '.repeat(cells - filled)}] ${Math.floor(part * 100)}%`;
}
