/** Removed volumes, kept for a while: `trash/<time>-<random>-<name>/`, each a volume's folder as it was. */
import { randomBytes } from 'node:crypto';
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDirectory, Fault, type Logger, messageOf, syncDirectory } from '../std/index.ts';
import { DATA, deleteFolder } from './folder.ts';

export interface TrashItem {
  name: string;
  removedAt: Date;
  folder: string;
}

const itemName = /^(\d+)-[0-9a-f]+-(.+)$/;

/** Whether a folder of the trash is called as removed volumes are. */
export function isTrashName(name: string): boolean {
  return itemName.test(name);
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class Trash {
  readonly #directory: string;
  readonly #keepMs: number;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;

  private constructor(directory: string, keepMs: number, logger: Logger) {
    this.#directory = directory;
    this.#keepMs = keepMs;
    this.#logger = logger;
  }

  static async open(directory: string, keepMs: number, logger: Logger): Promise<Trash> {
    await ensureDirectory(directory, 0o700);
    const trash = new Trash(directory, keepMs, logger);
    await trash.expire();
    return trash;
  }

  /** Takes a volume's folder in; with `keep` false, or when nothing is kept, it is deleted at once. */
  async put(name: string, folder: string, keep: boolean): Promise<void> {
    const target = join(this.#directory, `${Date.now()}-${randomBytes(3).toString('hex')}-${name}`);
    await rename(folder, target);
    await syncDirectory(this.#directory);
    if (!keep || this.#keepMs === 0) await deleteFolder(target);
    else this.#schedule(await this.list());
  }

  /** Newest first. */
  async list(): Promise<TrashItem[]> {
    const items = (await readdir(this.#directory)).flatMap((entry) => {
      const match = itemName.exec(entry);
      if (match === null) return [];
      return [{ name: match[2]!, removedAt: new Date(Number(match[1])), folder: join(this.#directory, entry) }];
    });
    return items.sort((left, right) => right.removedAt.getTime() - left.removedAt.getTime());
  }

  /** Moves the newest one of that name to `folder`. @throws Fault not-found */
  async takeBack(name: string, folder: string): Promise<void> {
    const item = (await this.list()).find((other) => other.name === name);
    if (item === undefined)
      throw new Fault('not-found', `Cannot restore volume ${JSON.stringify(name)}: it is not in the trash`);
    await rename(item.folder, folder);
  }

  /** Deletes what has been here long enough. */
  async expire(now = Date.now()): Promise<void> {
    const items = await this.list();
    const stays: TrashItem[] = [];
    for (const item of items) {
      if (item.removedAt.getTime() + this.#keepMs > now) {
        stays.push(item);
        continue;
      }
      try {
        await deleteFolder(item.folder);
      } catch (error) {
        this.#logger.warn('cannot delete a removed volume', { name: item.name, error: messageOf(error) });
      }
    }
    this.#schedule(stays);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #schedule(items: readonly TrashItem[]): void {
    clearTimeout(this.#timer);
    const oldest = items.at(-1);
    if (oldest === undefined) return;
    const wait = Math.max(1000, oldest.removedAt.getTime() + this.#keepMs - Date.now());
    this.#timer = setTimeout(
      () => {
        this.expire().catch((error: unknown) =>
          this.#logger.warn('cannot empty the trash', { error: messageOf(error) }),
        );
      },
      Math.min(wait, LONGEST_TIMER_MS),
    );
    this.#timer.unref();
  }
}

/** Where the data of an item is. */
export function dataOf(item: TrashItem): string {
  return join(item.folder, DATA);
}
