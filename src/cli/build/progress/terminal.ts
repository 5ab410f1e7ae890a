/** Draws frames over one another on a terminal. */
import { displayWidth } from '../../output/display-width.ts';
import type { Output } from '../../output/stream.ts';
import type { FrameLine } from './frame.ts';

const colors: Readonly<Record<NonNullable<FrameLine['color']>, string>> = {
  done: '34',
  error: '31',
  canceled: '33',
  output: '2',
};

export class Terminal implements Disposable {
  readonly #out: Output;
  readonly #isColored: boolean;
  #drawn: readonly FrameLine[] = [];
  #width = 0;
  readonly #showCursor = (): void => this.#out.write('\u001b[?25h');

  constructor(out: Output, isColored: boolean) {
    this.#out = out;
    this.#isColored = isColored;
    out.write('\u001b[?25l');
    // However this process ends, the cursor comes back.
    process.on('exit', this.#showCursor);
  }

  draw(lines: readonly FrameLine[]): void {
    const width = this.#out.columns;
    const isResized = width !== this.#width && this.#drawn.length > 0;
    const known = isResized ? [] : this.#drawn;
    let text = this.#up(isResized);
    for (const [index, line] of lines.entries()) {
      const before = known[index];
      // What is there already is passed over, so that nothing flickers.
      text += before?.text === line.text && before.color === line.color ? '\n' : `\r\u001b[2K${this.#colored(line)}\n`;
    }
    if (known.length > lines.length) text += '\u001b[J';
    this.#out.write(text);
    this.#drawn = lines;
    this.#width = width;
  }

  /** To the first line drawn. A terminal that became narrower has wrapped them. */
  #up(isResized: boolean): string {
    if (this.#drawn.length === 0) return '';
    const width = this.#out.columns;
    const heights = this.#drawn.map(({ text }) => (isResized ? Math.max(1, Math.ceil(displayWidth(text) / width)) : 1));
    const count = heights.reduce((sum, each) => sum + each, 0);
    return `\r\u001b[${count}A${isResized ? '\u001b[J' : ''}`;
  }

  #colored({ text, color }: FrameLine): string {
    return color === undefined || !this.#isColored ? text : `\u001b[${colors[color]}m${text}\u001b[0m`;
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#showCursor);
    this.#showCursor();
  }
}
