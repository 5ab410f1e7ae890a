/** The folder of parts, `<algorithm>-<hex>.<size>` each: of transfers that go on, and of such that broke off within the last day. */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blob } from '../content/index.ts';
import { SpaceGuard } from '../std/index.ts';
import { Part } from './part.ts';

export interface PartFile {
  name: string;
  size: number;
  /** When its last byte came, milliseconds since the epoch. */
  usedAt: number;
}

const keptMs = 24 * 3600 * 1000;

export class Parts {
  readonly folder: string;
  readonly #guard: SpaceGuard;

  /** Deletes what is no part, and what is too old to be gone on with. */
  constructor(folder: string, now: number) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#guard = new SpaceGuard(folder);
    for (const name of readdirSync(folder)) {
      const old = now - statSync(join(folder, name)).mtimeMs > keptMs;
      if (old || !pattern.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
    }
  }

  open(blob: Blob): Promise<Part> {
    return Part.open(join(this.folder, partName(blob)), blob, this.#guard);
  }

  list(): PartFile[] {
    return readdirSync(this.folder).flatMap((name) => {
      const stat = statSync(join(this.folder, name), { throwIfNoEntry: false });
      return stat === undefined ? [] : [{ name, size: stat.size, usedAt: stat.mtimeMs }];
    });
  }

  async delete(name: string): Promise<void> {
    await rm(join(this.folder, name), { force: true });
  }
}

const pattern = /^[a-z0-9]+-[a-f0-9]+\.\d+$/;

/** Whoever means another size means another blob, which one of them will not get. */
export function partName({ digest, size }: Blob): string {
  return `${digest.replace(':', '-')}.${size}`;
}
