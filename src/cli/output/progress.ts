/** Progress of pulls, pushes and loads: one line per layer, in place on a terminal, plain lines elsewhere. */
import type { ProgressMessage } from '../../api/index.ts';
import { Fault, humanSize } from '../../std/index.ts';
import type { Output } from './stream.ts';

const frameMs = 80;

/**
 * Shows lines until they end. @param out undefined shows nothing. @param onAux takes what is said for programs.
 * @throws Fault for a line that says that the work failed.
 */
export async function showProgress(
  lines: AsyncIterable<ProgressMessage>,
  out: Output | undefined,
  onAux?: (aux: unknown) => void,
): Promise<void> {
  const board = new ProgressBoard(out);
  try {
    for await (const line of lines) {
      if (line.error !== undefined || line.errorDetail !== undefined) {
        throw new Fault('internal', line.errorDetail?.message ?? line.error ?? 'unknown error');
      }
      if (line.aux !== undefined) {
        onAux?.(line.aux);
        continue;
      }
      board.show(line);
    }
  } finally {
    board.flush();
  }
}

export class ProgressBoard {
  readonly #out: Output | undefined;
  readonly #rows: { id: string; text: string; dirty: boolean }[] = [];
  #drawn = 0;
  #lastFrame = 0;
  readonly #now: () => number;

  constructor(out: Output | undefined, now: () => number = () => performance.now()) {
    this.#out = out;
    this.#now = now;
  }

  show(line: ProgressMessage): void {
    if (this.#out === undefined) return;
    if (line.stream !== undefined) {
      this.flush();
      this.#out.write(line.stream);
      return;
    }
    if (line.id === undefined || line.id === '' || !this.#out.isTerminal) {
      this.#plain(line);
      return;
    }
    this.#update(line.id, `${line.id}: ${line.status ?? ''}${barText(line, this.#out.columns)}`);
    if (this.#now() - this.#lastFrame >= frameMs) this.#draw();
  }

  /** Draws what is held back. */
  flush(): void {
    this.#draw();
  }

  /** A line of its own: nothing is redrawn above it afterwards. Bars are for terminals. */
  #plain(line: ProgressMessage): void {
    if (!this.#out!.isTerminal && isMoving(line)) return;
    this.flush();
    const id = line.id === undefined || line.id === '' ? '' : `${line.id}: `;
    this.#out!.write(`${id}${line.status ?? ''}\n`);
    this.#rows.length = 0;
    this.#drawn = 0;
  }

  #update(id: string, text: string): void {
    const row = this.#rows.find((each) => each.id === id);
    if (row === undefined) this.#rows.push({ id, text, dirty: true });
    else if (row.text !== text) {
      row.text = text;
      row.dirty = true;
    }
  }

  /** One write per frame: up to the first row, each changed row cleared and written, down past the last. */
  #draw(): void {
    if (this.#out === undefined || !this.#rows.some((row) => row.dirty)) return;
    const up = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A`;
    const text = this.#rows.map((row) => (row.dirty ? `\x1b[2K${row.text}\r\n` : '\x1b[1B\r')).join('');
    for (const row of this.#rows) row.dirty = false;
    this.#drawn = this.#rows.length;
    this.#lastFrame = this.#now();
    this.#out.write(up + text);
  }
}

function isMoving({ progressDetail }: ProgressMessage): boolean {
  return (progressDetail?.current ?? 0) > 0 || (progressDetail?.total ?? 0) > 0;
}

/** ` [===>     ]  1.2MB/3.4MB`, with the bar as wide as the terminal allows. */
export function barText({ progressDetail: detail }: ProgressMessage, columns: number): string {
  const current = detail?.current ?? 0;
  const total = detail?.total ?? 0;
  if (current <= 0 && total <= 0) return '';
  if (detail?.units !== undefined) return ` ${current}${detail.units}`;
  const shown = humanSize(current);
  if (total <= 0) return ` ${shown.padStart(8)}`;
  let bar = '';
  if (columns > 110) {
    const filled = Math.min(50, Math.trunc((current / total) * 50));
    bar = `[${'='.repeat(filled)}>${' '.repeat(50 - filled)}] `;
  }
  const amount = current > total ? shown.padStart(8) : `${shown.padStart(8)}/${humanSize(total)}`;
  return ` ${bar}${amount}`;
}
