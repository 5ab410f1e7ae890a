/** The key sequence by which a client lets go of a terminal ("ctrl-p,ctrl-q"). Pure but for the bytes held back between pieces. */
import { Fault } from '../std/index.ts';

/** "ctrl-p,ctrl-q" or "a,b" to bytes. @throws Fault invalid */
export function parseDetachKeys(text: string | undefined): number[] {
  if (text === undefined || text === '') return [16, 17];
  return text.split(',').map((key) => {
    if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
    const match = /^ctrl-([a-z@[\\\]^_])$/.exec(key);
    if (match === null) throw new Fault('invalid', `Invalid detach keys (${text}) provided`);
    const name = match[1]!;
    return name === '@' ? 0 : /[a-z]/.test(name) ? name.charCodeAt(0) - 96 : 27 + '[\\]^_'.indexOf(name);
  });
}

/** Passes input through, holding back what may be the start of the sequence. */
export class DetachScanner {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** The bytes to send on, and whether the sequence was completed (then the rest is dropped). */
  feed(data: Uint8Array): { pass: Uint8Array; detached: boolean } {
    if (this.#matched === 0 && !data.includes(this.#keys[0]!)) return { pass: data, detached: false };
    const pass: number[] = [];
    for (const byte of data) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched++;
        if (this.#matched === this.#keys.length) return { pass: Uint8Array.from(pass), detached: true };
        continue;
      }
      pass.push(...this.#keys.slice(0, this.#matched));
      this.#matched = 0;
      if (byte === this.#keys[0]) this.#matched = 1;
      else pass.push(byte);
    }
    return { pass: Uint8Array.from(pass), detached: false };
  }
}
