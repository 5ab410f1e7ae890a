/**
 * Counts what an engine can leave behind: processes, mounts, network namespaces, cgroups, links, nft tables, files. Other engines may
 * run on the host, so what is counted is what carries one of our marks (a root folder, a bridge, the hash of a data root); with no
 * other engine in sight all the rest is compared too.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export type Inventory = ReadonlyMap<string, string>;

const engines = /(conmon|crun|runc|wherryd|server\/main\.ts|dockerd|containerd|containerd-shim|docker-proxy|podman)/;

/** Everything on the host that an engine may own; key → what it is. */
export function inventory(): Inventory {
  const found = new Map<string, string>();
  for (const pid of processes()) {
    const line = commandLine(pid);
    if (line !== '' && engines.test(line.split(' ').slice(0, 3).join(' '))) found.set(`process ${pid}`, line);
    const net = link(`/proc/${pid}/ns/net`);
    if (net !== undefined) found.set(`netns ${net}`, `held by ${pid} ${line}`.slice(0, 200));
  }
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const fields = line.split(' ');
    if (fields.length > 6) found.set(`mount ${fields[4]}`, line);
  }
  for (const name of readdirSync('/sys/class/net')) found.set(`link ${name}`, name);
  for (const path of globSync('/sys/fs/cgroup/{*/,}{wherry,docker,system.slice/docker}*')) {
    found.set(`cgroup ${path}`, path);
  }
  for (const line of output('nft', ['list', 'tables']).split('\n')) if (line !== '') found.set(`nft ${line}`, line);
  for (const line of output('iptables-save', []).split('\n')) {
    if (line.startsWith('-A') || line.startsWith(':DOCKER')) found.set(`iptables ${line}`, line);
  }
  return found;
}

/** What is there after and was not before: of ours always, of the rest only when no other engine can be the reason. */
export function leaked(before: Inventory, after: Inventory, marks: readonly string[]): string[] {
  const added = [...after].filter(([key]) => !before.has(key));
  const ours = added.filter(([key, text]) => marks.some((mark) => key.includes(mark) || text.includes(mark)));
  const foreign = [...before, ...after].some(
    ([key, text]) => key.startsWith('process ') && !marks.some((mark) => text.includes(mark)),
  );
  return (foreign ? ours : added).map(([key, text]) => `${key}: ${text}`.slice(0, 300));
}

/** The marks of one daemon. */
export function marksOf({ root, dataRoot, bridge }: { root: string; dataRoot: string; bridge: string }): string[] {
  return [root, bridge, `wherry-${hashOf(dataRoot)}`, `wherry_${hashOf(dataRoot)}`];
}

/** What a daemon appends to the names of its nft table and its cgroup. */
export function hashOf(dataRoot: string): string {
  return createHash('sha256').update(dataRoot).digest('hex').slice(0, 8);
}

/** The open descriptors of a process by kind. */
export function descriptors(pid: number): Map<string, number> {
  const kinds = new Map<string, number>();
  const targets = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => link(`/proc/${pid}/fd/${fd}`) ?? []);
  const families = socketFamilies(pid);
  for (const target of targets) {
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    const kind =
      inode === undefined
        ? target.replace(/[:[]+\d+\]?$/, '')
        : `socket ${families.get(inode) ?? 'of another namespace'}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return kinds;
}

const inodeColumns = Object.entries({ netlink: 9, unix: 6, udp: 9, udp6: 9, tcp: 9, tcp6: 9, raw: 9, packet: 8 });

/** What the sockets of the process's network namespace are, by inode. */
function socketFamilies(pid: number): Map<string, string> {
  const found = new Map<string, string>();
  // The kernel's tables skip entries when others come and go while they are read: one look is not enough.
  for (const [family, column] of [...inodeColumns, ...inodeColumns, ...inodeColumns]) {
    let text = '';
    try {
      text = readFileSync(`/proc/${pid}/net/${family}`, 'utf8');
    } catch {
      continue;
    }
    for (const line of text.split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const inode = fields[column];
      const detail = family === 'netlink' ? ` ${fields[1]}` : family === 'unix' ? ` ${fields[7] ?? ''}` : '';
      if (inode !== undefined) found.set(inode, `${family}${detail}`.trim());
    }
  }
  return found;
}

/** Processes that carry a mark in their command line. */
export function processesOf(marks: readonly string[]): { pid: number; line: string }[] {
  return processes()
    .map((pid) => ({ pid, line: commandLine(pid) }))
    .filter(({ pid, line }) => pid !== process.pid && marks.some((mark) => line.includes(mark)));
}

function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function output(file: string, args: string[]): string {
  try {
    return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000 });
  } catch {
    return '';
  }
}

/** Files left in a folder, relative. */
export function filesUnder(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  } catch {
    return [];
  }
}
