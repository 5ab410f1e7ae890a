/** The keys that leave a container running: Docker's notation, and their detection in what is typed. */
import { Fault } from '../../std/index.ts';

/** "ctrl-p,ctrl-q" to bytes; undefined is the default. @throws Fault invalid. */
export function parseDetachKeys(text: string | undefined): Uint8Array {
  const keys = text === undefined || text === '' ? 'ctrl-p,ctrl-q' : text;
  return Uint8Array.from(
    keys.split(',').map((key) => {
      if (key.length === 1) return key.charCodeAt(0);
      const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
      if (control === undefined) throw new Fault('invalid', `Unknown character: '${key}'`);
      return control === '@' ? 0 : control.toUpperCase().charCodeAt(0) - 64;
    }),
  );
}

export class DetachWatch {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /** What to pass on now: the beginning of a sequence is held back until it is known not to be one. */
  look(chunk: Uint8Array): { forward: Uint8Array; detached: boolean } {
    const forward: number[] = [];
    for (const byte of chunk) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched++;
        if (this.#matched === this.#keys.length) return { forward: Uint8Array.from(forward), detached: true };
        continue;
      }
      forward.push(...this.#keys.subarray(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) forward.push(byte);
    }
    return { forward: Uint8Array.from(forward), detached: false };
  }
}
