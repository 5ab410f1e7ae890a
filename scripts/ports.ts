/** Who has a port, and which one is free. */
import { globSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename } from 'node:path';
import { getJson } from './engine.ts';

export function isFree(port: number, address: string): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen(port, address, () => probe.close(() => done(true)));
  });
}

/** @throws Error when there is none */
export async function nextFree(from: number, address: string): Promise<number> {
  for (let port = from; port < Math.min(from + 1000, 65_536); port++) if (await isFree(port, address)) return port;
  throw new Error(`no port from ${from} on is free`);
}

/** "the container web", "nginx (process 812)"; undefined where it cannot be seen. */
export async function holderOf(port: number): Promise<string | undefined> {
  const containers = await getJson<{ Names: string[]; Ports: { PublicPort?: number }[] }[]>('/containers/json');
  const own = containers?.find(({ Ports }) => Ports.some(({ PublicPort }) => PublicPort === port));
  if (own !== undefined) return `the container ${own.Names[0]?.slice(1)}`;
  const inode = listenerInode(port);
  if (inode === undefined) return undefined;
  for (const link of globSync('/proc/[0-9]*/fd/*')) {
    try {
      if (readlinkSync(link) !== `socket:[${inode}]`) continue;
      const pid = link.split('/')[2]!;
      return `${basename(readlinkSync(`/proc/${pid}/exe`))} (process ${pid})`;
    } catch {
      // It ended, or is another's.
    }
  }
  return undefined;
}

/** Of /proc/net/tcp and tcp6 (proc_pid_net(5)): addresses are hexadecimal, 0A is LISTEN. */
function listenerInode(port: number): string | undefined {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readFileSync(file, 'utf8').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(`:${wanted}`) === true && fields[3] === '0A') return fields[9];
    }
  }
  return undefined;
}
