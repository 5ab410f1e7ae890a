/** A file that stands for room: it is given up where a disk that is full would keep names from being taken away. */
import { open, rm, stat } from 'node:fs/promises';

const least = 64 << 10;

export class Reserve {
  readonly #path: string;
  #size = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Sees that there is room for `bytes` once more and as much again. On a full disk it stays as it is. */
  async fill(bytes: number): Promise<void> {
    const wanted = Math.max(least, bytes * 2);
    if (this.#size === 0) this.#size = await sizeOf(this.#path);
    if (this.#size >= wanted) return;
    try {
      // Other than zeros, so that no file system makes a hole of it.
      const file = await open(this.#path, 'w', 0o600);
      try {
        await file.writeFile(Buffer.alloc(wanted, 1));
        await file.datasync();
      } finally {
        await file.close();
      }
      this.#size = wanted;
    } catch {
      await rm(this.#path, { force: true });
      this.#size = 0;
    }
  }

  /** Gives the room back. */
  async release(): Promise<void> {
    this.#size = 0;
    await rm(this.#path, { force: true });
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}
