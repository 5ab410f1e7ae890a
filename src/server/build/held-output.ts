/** Output of steps whose turn to be told has not come, in bounded memory: of what is too much the oldest is dropped, and that is said. */

export interface Piece {
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

interface Held {
  pieces: Piece[];
  length: number;
  clipped: boolean;
}

export interface HeldOutputLimits {
  /** Characters of one step's. */
  readonly step: number;
  /** Characters of all. */
  readonly all: number;
}

const usual: HeldOutputLimits = { step: 1 << 20, all: 16 << 20 };
/** What a piece takes beside its text. */
const pieceCost = 64;

export class HeldOutput {
  readonly #limits: HeldOutputLimits;
  readonly #steps = new Map<string, Held>();
  #length = 0;

  constructor(limits = usual) {
    this.#limits = limits;
  }

  add(step: string, { stream, text }: Piece): void {
    const held = this.#steps.get(step) ?? { pieces: [], length: 0, clipped: false };
    this.#steps.set(step, held);
    const last = held.pieces.at(-1);
    if (last?.stream === stream) {
      held.pieces[held.pieces.length - 1] = { stream, text: last.text + text };
      this.#grow(held, text.length);
    } else {
      held.pieces.push({ stream, text });
      this.#grow(held, text.length + pieceCost);
    }
    while (held.length > this.#limits.step || (this.#length > this.#limits.all && held.length > 0)) this.#clip(held);
  }

  /** Everything held of the step, which is held no more. */
  take(step: string): Piece[] {
    const held = this.#steps.get(step);
    if (held === undefined) return [];
    this.#steps.delete(step);
    this.#length -= held.length;
    if (!held.clipped) return held.pieces;
    return [
      { stream: 'stderr', text: '[earlier output was too much to hold back and is not shown]\n' },
      ...held.pieces,
    ];
  }

  /** Drops half of the oldest piece, to the end of a line where there is one. */
  #clip(held: Held): void {
    held.clipped = true;
    const { stream, text } = held.pieces[0]!;
    const middle = Math.ceil(text.length / 2);
    const line = text.indexOf('\n', middle - 1);
    const end = line < 0 ? middle : line + 1;
    if (end >= text.length) {
      held.pieces.shift();
      this.#grow(held, -(text.length + pieceCost));
    } else {
      held.pieces[0] = { stream, text: text.slice(end) };
      this.#grow(held, -end);
    }
  }

  #grow(held: Held, by: number): void {
    held.length += by;
    this.#length += by;
  }
}
