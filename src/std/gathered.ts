/** Bytes gathered from pieces until there are enough: room grows by halves, so that single bytes cost no more than one piece would. */

const none: Buffer = Buffer.alloc(0);

export class Gathered {
  #room = none;
  #start = 0;
  #end = 0;
  /** The first piece is not ours to write behind. */
  #own = false;

  /** All that is held; valid until the next change. */
  get bytes(): Buffer {
    return this.#room.subarray(this.#start, this.#end);
  }

  append(piece: Buffer): void {
    if (this.#start === this.#end) {
      this.#room = piece;
      this.#start = 0;
      this.#end = piece.length;
      this.#own = false;
      return;
    }
    if (!this.#own || this.#end + piece.length > this.#room.length) {
      const held = this.bytes;
      this.#room = Buffer.allocUnsafe((held.length + piece.length) * 2);
      held.copy(this.#room);
      this.#start = 0;
      this.#end = held.length;
      this.#own = true;
    }
    piece.copy(this.#room, this.#end);
    this.#end += piece.length;
  }

  /** Lets go of the first `count` bytes. */
  drop(count: number): void {
    this.#start += count;
  }
}
