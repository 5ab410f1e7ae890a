/** The local driver's options (type, device, o) to what mount(2) takes. Pure but for the resolver passed in. */
import { Fault } from '../std/index.ts';

export interface DeviceMount {
  type: string;
  source: string;
  flags: number;
  data: string;
  /** Propagation, set by a second call. */
  propagation: number;
}

const flagBits: Record<string, number> = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  sync: 16,
  remount: 32,
  mand: 64,
  dirsync: 128,
  noatime: 1024,
  nodiratime: 2048,
  bind: 4096,
  rbind: 4096 | 16384,
  relatime: 1 << 21,
  strictatime: 1 << 24,
};
const clearing: Record<string, number> = {
  rw: 1,
  suid: 2,
  dev: 4,
  exec: 8,
  async: 16,
  nomand: 64,
  atime: 1024,
  diratime: 2048,
  norelatime: 1 << 21,
  nostrictatime: 1 << 24,
};
const propagations: Record<string, number> = {
  unbindable: 1 << 17,
  runbindable: (1 << 17) | 16384,
  private: 1 << 18,
  rprivate: (1 << 18) | 16384,
  slave: 1 << 19,
  rslave: (1 << 19) | 16384,
  shared: 1 << 20,
  rshared: (1 << 20) | 16384,
};
const needs: Record<string, readonly string[]> = { type: ['device'], device: ['type'], o: ['device', 'type'] };

/** Checks options at creation. @throws Fault invalid with Docker's texts */
export function checkDriverOptions(options: Readonly<Record<string, string>>): void {
  for (const key of Object.keys(options)) {
    if (key !== 'type' && key !== 'device' && key !== 'o' && key !== 'size') {
      throw new Fault('invalid', `invalid option: ${JSON.stringify(key)}`);
    }
    if (key === 'size') throw new Fault('invalid', 'quota size requested but no quota support');
    for (const needed of needs[key] ?? []) {
      if ((options[needed] ?? '') === '')
        throw new Fault('invalid', `missing required option: ${JSON.stringify(needed)}`);
    }
  }
}

/** What to mount; undefined for a plain folder. `resolve` turns a host name into an address. */
export async function deviceMount(
  options: Readonly<Record<string, string>> | null,
  resolve: (host: string) => Promise<string>,
): Promise<DeviceMount | undefined> {
  const device = options?.['device'] ?? '';
  const type = options?.['type'] ?? '';
  if (device === '' && type === '') return undefined;
  const result: DeviceMount = { type, source: device, flags: 0, data: '', propagation: 0 };
  const data: string[] = [];
  for (const option of (options?.['o'] ?? '').split(',')) {
    if (option === '' || option === 'defaults') continue;
    if (Object.hasOwn(flagBits, option)) result.flags |= flagBits[option]!;
    else if (Object.hasOwn(clearing, option)) result.flags &= ~clearing[option]!;
    else if (Object.hasOwn(propagations, option)) result.propagation |= propagations[option]!;
    // The kernel wants an address where people write a name.
    else if (option.startsWith('addr=') && isNetworkType(type)) data.push(`addr=${await resolve(option.slice(5))}`);
    else data.push(option);
  }
  if (type.startsWith('nfs') && !data.some((option) => option.startsWith('addr='))) {
    const host = /^(?:\[([^\]]+)\]|([^:]+)):/.exec(device);
    if (host !== null) data.push(`addr=${await resolve(host[1] ?? host[2]!)}`);
  }
  result.data = data.join(',');
  return result;
}

function isNetworkType(type: string): boolean {
  return type.startsWith('nfs') || type === 'cifs';
}
