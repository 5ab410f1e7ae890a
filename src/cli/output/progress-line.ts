/** One line on a terminal that says how far something is, and is gone when it is done. Elsewhere nothing is shown. */
import { ellipsis } from './short.ts';
import type { Output } from './stream.ts';

export class ProgressLine {
  readonly #out: Output;
  #shown = '';

  constructor(out: Output) {
    this.#out = out;
  }

  show(text: string): void {
    const line = ellipsis(text, this.#out.columns - 1);
    if (!this.#out.isTerminal || line === this.#shown) return;
    this.#shown = line;
    this.#out.write(`\r\u001b[K${line}`);
  }

  clear(): void {
    if (this.#shown !== '') this.#out.write('\r\u001b[K');
    this.#shown = '';
  }
}
