/**
 * Sandbox records on disk: volatile, so written without sync, and written synchronously, because a write to the run folder's
 * memory file system costs less than the way to a worker thread and back. Each lands whole.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxRecord } from './record.ts';

export class SandboxStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** All records; files that cannot be read are named to `onBroken` and removed. */
  readAll(onBroken: (path: string) => void): SandboxRecord[] {
    return readdirSync(this.#directory).flatMap((name) => {
      const path = join(this.#directory, name);
      if (!name.endsWith('.json')) {
        rmSync(path, { force: true });
        return [];
      }
      try {
        return [JSON.parse(readFileSync(path, 'utf8')) as SandboxRecord];
      } catch {
        onBroken(path);
        rmSync(path, { force: true });
        return [];
      }
    });
  }

  put(record: SandboxRecord): void {
    const path = this.#path(record.containerId);
    writeFileSync(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  }

  delete(containerId: string): void {
    rmSync(this.#path(containerId), { force: true });
  }

  #path(containerId: string): string {
    return join(this.#directory, `${containerId}.json`);
  }
}
