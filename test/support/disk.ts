/** A small file system of a test's own, for what happens when a disk is full: tmpfs, or ext4 in a file behind a loop device. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface DiskOptions {
  readonly type: 'tmpfs' | 'ext4';
  readonly megabytes: number;
  readonly inodes?: number;
}

export class Disk {
  readonly path: string;
  readonly #image: string;
  readonly #options: DiskOptions;
  #mounted = false;

  constructor(path: string, options: DiskOptions) {
    this.path = path;
    this.#image = join(dirname(path), 'disk.img');
    this.#options = options;
  }

  mount(): void {
    if (this.#mounted) return;
    const { type, megabytes, inodes } = this.#options;
    mkdirSync(this.path, { recursive: true });
    if (type === 'tmpfs') {
      const limits = [`size=${megabytes}m`, ...(inodes === undefined ? [] : [`nr_inodes=${inodes}`])];
      run('mount', '-t', 'tmpfs', '-o', limits.join(','), 'wherry-test', this.path);
    } else {
      writeFileSync(this.#image, '');
      truncateSync(this.#image, megabytes << 20);
      const count = inodes === undefined ? [] : ['-N', String(inodes)];
      run('mkfs.ext4', '-q', '-F', '-m', '0', '-O', '^has_journal', ...count, this.#image);
      run('mount', '-o', 'loop', this.#image, this.path);
    }
    this.#mounted = true;
  }

  remount(mode: 'ro' | 'rw'): void {
    run('mount', '-o', `remount,${mode}`, this.path);
  }

  unmount(): void {
    if (!this.#mounted) return;
    run('umount', this.path);
    rmSync(this.#image, { force: true });
    this.#mounted = false;
  }

  /** Bytes that may be written. */
  get free(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  get freeInodes(): number {
    return statfsSync(this.path).ffree;
  }
}

function run(file: string, ...args: string[]): void {
  execFileSync(file, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 30_000 });
}
