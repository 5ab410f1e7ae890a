/** Bytes as they come, taken apart into lines. */

export class Lines {
  readonly #decoder = new TextDecoder();
  readonly #each: (line: string) => void;
  #held = '';

  constructor(each: (line: string) => void) {
    this.#each = each;
  }

  add(bytes: Uint8Array): void {
    const lines = (this.#held + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#held = lines.pop()!;
    for (const line of lines) this.#each(line);
  }

  /** What is left is a line, too. */
  end(): void {
    if (this.#held !== '') this.#each(this.#held);
    this.#held = '';
  }
}
