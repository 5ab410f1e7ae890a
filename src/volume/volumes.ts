/** The local volume driver behind the door. Work on one volume is done in the order asked. */
import { closeSync, constants, openSync, readlinkSync } from 'node:fs';
import { lookup } from 'node:dns/promises';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import {
  acceptFilters,
  booleanFilter,
  type Filters,
  matchesExact,
  matchesLabels,
  type Problem,
  type PruneReport,
  type Volume,
  type VolumeCreateBody,
} from '../api/index.ts';
import { descriptorPath, diskUsage, mount, mountFlags, openFlags, openInRoot, unmount } from '../linux/index.ts';
import {
  ensureDirectory,
  Fault,
  errorCode,
  KeyedMutex,
  type Logger,
  messageOf,
  randomId,
  syncDirectory,
} from '../std/index.ts';
import { checkVolumes } from './check.ts';
import type { Volumes, VolumesOptions } from './door.ts';
import { DATA, makeFolder, readFolders, readRecord, showVolume, type VolumeRecord, writeRecord } from './folder.ts';
import { checkDriverOptions, deviceMount } from './mount-options.ts';
import { mountsAt } from './mount-table.ts';
import { populateFolder, recoverPopulate } from './populate.ts';
import { dataOf, Trash } from './trash.ts';
import { checkVolumeName } from './volume-name.ts';

const ANONYMOUS = 'com.docker.volume.anonymous';

export async function openVolumes(options: VolumesOptions & { logger: Logger }): Promise<Volumes> {
  await ensureDirectory(options.root);
  const directory = join(options.root, 'volumes');
  const records = await readFolders(directory);
  for (const name of records.keys()) {
    try {
      await recoverPopulate(join(directory, name));
    } catch (error) {
      options.logger.error('cannot finish filling a volume', { name, error: messageOf(error) });
    }
  }
  const trash = await Trash.open(join(options.root, 'trash'), options.trashMs, options.logger);
  return new LocalVolumes(options, directory, records, trash);
}

class LocalVolumes implements Volumes {
  readonly #options: VolumesOptions;
  readonly #directory: string;
  readonly #records: Map<string, VolumeRecord>;
  readonly #trash: Trash;
  readonly #users = new Map<string, Set<string>>();
  readonly #turns = new KeyedMutex();

  constructor(options: VolumesOptions, directory: string, records: Map<string, VolumeRecord>, trash: Trash) {
    this.#options = options;
    this.#directory = directory;
    this.#records = records;
    this.#trash = trash;
    for (const [name, record] of records) {
      // Containers that were removed while no daemon ran no longer hold the mount.
      const known = new Set(record.mountedFor.length === 0 ? [] : options.uses(name));
      this.#users.set(name, new Set(record.mountedFor.filter((id) => known.has(id))));
    }
  }

  list(filters: Filters): Promise<{ Volumes: Volume[]; Warnings: string[] | null }> {
    return Promise.resolve().then(() => {
      acceptFilters(filters, ['dangling', 'driver', 'label', 'label!', 'name']);
      const dangling = booleanFilter(filters, 'dangling');
      const names = [...(filters.get('name') ?? [])];
      const found = [...this.#records]
        .filter(
          ([name, record]) =>
            matchesExact(filters, 'driver', 'local') &&
            matchesLabels(filters, record.labels) &&
            (names.length === 0 || names.some((part) => name.includes(part))) &&
            (dangling === undefined || dangling === (this.#usedBy(name).length === 0)),
        )
        .sort(([left], [right]) => (left < right ? -1 : 1));
      return { Volumes: found.map(([name, record]) => showVolume(this.#directory, name, record)), Warnings: null };
    });
  }

  inspect(name: string): Promise<Volume> {
    return Promise.resolve().then(() => showVolume(this.#directory, name, this.#require(name)));
  }

  exists(name: string): boolean {
    return this.#records.has(name);
  }

  create(body: VolumeCreateBody, options: { anonymous?: boolean } = {}): Promise<Volume> {
    const asked = body.Name ?? '';
    const anonymous = asked === '' || options.anonymous === true;
    const name = asked === '' ? randomId() : asked;
    return this.#turns.run(name, async () => {
      checkVolumeName(name);
      const driver = body.Driver || 'local';
      if (driver !== 'local' && driver !== 'default') {
        throw new Fault(
          'not-found',
          `create ${name}: error looking up volume plugin ${driver}: plugin ${JSON.stringify(driver)} not found`,
        );
      }
      const driverOptions = body.DriverOpts ?? {};
      const known = this.#records.get(name);
      if (known !== undefined) {
        if (Object.keys(driverOptions).length > 0 && !sameOptions(driverOptions, known.options ?? {})) {
          throw new Fault(
            'conflict',
            `volume ${name} already exists with other options: remove it, or choose another name`,
          );
        }
        return showVolume(this.#directory, name, known);
      }
      try {
        checkDriverOptions(driverOptions);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        throw new Fault(error.kind, `create ${name}: ${error.message}`, { cause: error });
      }
      const record: VolumeRecord = {
        createdAt: `${new Date().toISOString().slice(0, 19)}Z`,
        labels: anonymous ? { [ANONYMOUS]: '', ...body.Labels } : (body.Labels ?? null),
        options: Object.keys(driverOptions).length === 0 ? null : driverOptions,
        mountedFor: [],
      };
      await makeFolder(this.#directory, name, record);
      this.#records.set(name, record);
      this.#options.emit({ action: 'create', id: name, attributes: { driver: 'local' } });
      return showVolume(this.#directory, name, record);
    });
  }

  isAnonymous(name: string): boolean {
    return Object.hasOwn(this.#records.get(name)?.labels ?? {}, ANONYMOUS);
  }

  remove(name: string, options: { force: boolean }): Promise<void> {
    return this.#turns.run(name, async () => {
      if (!this.#records.has(name)) {
        if (options.force) return;
        throw notFound(name);
      }
      this.#refuseInUse(name, 'remove');
      await this.#discard(name);
    });
  }

  rename(name: string, to: string): Promise<Volume> {
    return this.#turns.run(name, async () => {
      const record = this.#require(name);
      checkVolumeName(to);
      if (this.#records.has(to)) throw new Fault('conflict', `rename ${name}: volume ${to} already exists`);
      this.#refuseInUse(name, 'rename');
      // A name that was given is kept: the volume is nobody's leftover any more.
      const { [ANONYMOUS]: _, ...labels } = record.labels ?? {};
      const renamed = { ...record, labels: this.isAnonymous(name) ? labels : record.labels };
      this.#records.set(to, renamed);
      try {
        await rename(this.#folder(name), this.#folder(to));
      } catch (error) {
        this.#records.delete(to);
        throw error;
      }
      this.#records.delete(name);
      this.#users.delete(name);
      await writeRecord(this.#folder(to), renamed);
      await syncDirectory(this.#directory);
      this.#options.emit({ action: 'rename', id: to, attributes: { driver: 'local', oldName: name } });
      return showVolume(this.#directory, to, renamed);
    });
  }

  /** `reclaimed` counts what left the volumes; named ones are freed on disk when the trash lets go of them. */
  async prune(filters: Filters, options: { anonymousOnly: boolean }): Promise<PruneReport> {
    acceptFilters(filters, ['all', 'label', 'label!']);
    const report: PruneReport = { deleted: [], reclaimed: 0 };
    for (const name of [...this.#records.keys()].sort()) {
      await this.#turns.run(name, async () => {
        const record = this.#records.get(name);
        if (record === undefined || this.#usedBy(name).length > 0 || !matchesLabels(filters, record.labels)) return;
        if (options.anonymousOnly && !this.isAnonymous(name)) return;
        const size = await diskUsage(join(this.#folder(name), DATA));
        await this.#discard(name);
        report.deleted.push(name);
        report.reclaimed += size;
      });
    }
    this.#options.emit({ action: 'prune', id: '', attributes: { reclaimed: String(report.reclaimed) } });
    return report;
  }

  mount(name: string, containerId: string, attributes: Record<string, string> = {}): Promise<string> {
    return this.#turns.run(name, async () => {
      const record = this.#require(name);
      const users = this.#usersOf(name);
      const data = join(this.#folder(name), DATA);
      const device = await deviceMount(record.options, resolveHost);
      if (device !== undefined) {
        if (mountsAt(data).length === 0) mountDevice(device, data);
        record.mountedFor = [...new Set([...users, containerId])];
        await writeRecord(this.#folder(name), record, { durable: false });
      }
      users.add(containerId);
      this.#options.emit({
        action: 'mount',
        id: name,
        attributes: { container: containerId, driver: 'local', ...attributes },
      });
      return data;
    });
  }

  unmount(name: string, containerId: string): Promise<void> {
    return this.#turns.run(name, async () => {
      const record = this.#records.get(name);
      const users = this.#usersOf(name);
      if (record === undefined || !users.delete(containerId)) return;
      if (record.mountedFor.length > 0) {
        record.mountedFor = [...users];
        if (users.size === 0) for (const point of mountsAt(join(this.#folder(name), DATA)).reverse()) unmount(point);
        await writeRecord(this.#folder(name), record, { durable: false });
      }
      this.#options.emit({ action: 'unmount', id: name, attributes: { container: containerId, driver: 'local' } });
    });
  }

  populate(name: string, source: string): Promise<void> {
    return this.#turns.run(name, async () => {
      this.#require(name);
      const mounted = mountsAt(join(this.#folder(name), DATA)).length > 0;
      await populateFolder(this.#folder(name), source, mounted);
    });
  }

  subpath(name: string, subpath: string): Promise<string> {
    return Promise.resolve().then(() => {
      this.#require(name);
      const root = openSync(join(this.#folder(name), DATA), constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        const found = openInRoot(root, subpath, openFlags.path);
        try {
          return readlinkSync(descriptorPath(found));
        } finally {
          closeSync(found);
        }
      } catch (error) {
        if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR' || errorCode(error) === 'ELOOP') {
          throw new Fault('invalid', `cannot access path ${subpath} in volume ${name}: no such file or directory`, {
            cause: error,
          });
        }
        throw error;
      } finally {
        closeSync(root);
      }
    });
  }

  async usage(name: string): Promise<number> {
    this.#require(name);
    return diskUsage(join(this.#folder(name), DATA));
  }

  async trash(): Promise<{ name: string; removedAt: string; path: string; size: number }[]> {
    const shown = [];
    for (const item of await this.#trash.list()) {
      shown.push({
        name: item.name,
        removedAt: item.removedAt.toISOString(),
        path: dataOf(item),
        size: await diskUsage(dataOf(item)),
      });
    }
    return shown;
  }

  restoreFromTrash(name: string): Promise<Volume> {
    return this.#turns.run(name, async () => {
      checkVolumeName(name);
      if (this.#records.has(name)) {
        throw new Fault(
          'conflict',
          `Cannot restore volume ${JSON.stringify(name)}: a volume of that name exists; rename or remove it first`,
        );
      }
      await this.#trash.takeBack(name, this.#folder(name));
      await syncDirectory(this.#directory);
      const record = await readRecord(this.#folder(name));
      this.#records.set(name, record);
      this.#options.emit({ action: 'create', id: name, attributes: { driver: 'local' } });
      return showVolume(this.#directory, name, record);
    });
  }

  check(): AsyncIterable<Problem> {
    return checkVolumes({
      volumes: this.#directory,
      trash: join(this.#options.root, 'trash'),
      known: this.#records,
      busy: (name) => this.#turns.busy(name),
      writeRecord: (name) =>
        this.#turns.run(name, async () => {
          const record = this.#records.get(name);
          if (record !== undefined) await writeRecord(this.#folder(name), record);
        }),
    });
  }

  close(): Promise<void> {
    this.#trash.close();
    return Promise.resolve();
  }

  #folder(name: string): string {
    return join(this.#directory, name);
  }

  #require(name: string): VolumeRecord {
    const record = this.#records.get(name);
    if (record === undefined) throw notFound(name);
    return record;
  }

  #usersOf(name: string): Set<string> {
    let users = this.#users.get(name);
    if (users === undefined) this.#users.set(name, (users = new Set()));
    return users;
  }

  #usedBy(name: string): string[] {
    return [...new Set([...this.#options.uses(name), ...(this.#users.get(name) ?? [])])];
  }

  #refuseInUse(name: string, verb: string): void {
    const users = this.#usedBy(name);
    if (users.length > 0) throw new Fault('conflict', `${verb} ${name}: volume is in use - [${users.join(', ')}]`);
  }

  /** Named volumes go to the trash; anonymous ones, which containers leave by the dozen, at once. */
  async #discard(name: string): Promise<void> {
    for (const point of mountsAt(join(this.#folder(name), DATA)).reverse()) unmount(point);
    await this.#trash.put(name, this.#folder(name), !this.isAnonymous(name));
    this.#records.delete(name);
    this.#users.delete(name);
    this.#options.emit({ action: 'destroy', id: name, attributes: { driver: 'local' } });
  }
}

function notFound(name: string): Fault {
  return new Fault('not-found', `get ${name}: no such volume`);
}

function sameOptions(left: Record<string, string>, right: Record<string, string>): boolean {
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => left[key] === right[key]);
}

async function resolveHost(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new Fault('unavailable', `error resolving passed in network volume address: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** @throws Fault internal with Docker's text */
function mountDevice(
  device: { type: string; source: string; flags: number; data: string; propagation: number },
  target: string,
): void {
  const bind = (device.flags & mountFlags.bind) !== 0;
  try {
    mount({ source: device.source, target, type: device.type, flags: device.flags, data: device.data });
    // A bind takes its own flags only in a second call.
    if (bind && (device.flags & ~(mountFlags.bind | mountFlags.rec)) !== 0) {
      mount({ source: device.source, target, flags: device.flags | mountFlags.remount });
    }
    if (device.propagation !== 0) mount({ source: 'none', target, flags: device.propagation });
  } catch (error) {
    for (const point of mountsAt(target).reverse()) unmount(point);
    throw new Fault(
      'internal',
      `error while mounting volume '${target}': failed to mount local volume: mount ${device.source}:${target}, ` +
        `flags: 0x${device.flags.toString(16)}${device.data === '' ? '' : `, data: ${redact(device.data)}`}: ${explain(error)}`,
      { cause: error },
    );
  }
}

const meanings: Record<string, string> = {
  ENOENT: 'no such file or directory',
  ENODEV: 'no such device',
  EINVAL: 'invalid argument',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ECONNREFUSED: 'connection refused',
  ENOTBLK: 'block device required',
};

function explain(error: unknown): string {
  return meanings[errorCode(error) ?? ''] ?? messageOf(error);
}

function redact(data: string): string {
  return data.replaceAll(/\b(pass(?:word)?)=[^,]*/g, '$1=***');
}
