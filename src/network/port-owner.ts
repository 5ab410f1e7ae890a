/** Who holds a port of the host, for the message of the one who wanted it: a walk through /proc, made only on conflict. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** "nginx, process 812", or undefined when nobody is found (another namespace, or it ended). */
export function portOwner(protocol: 'tcp' | 'udp' | 'sctp', port: number): string | undefined {
  if (protocol === 'sctp') return undefined;
  const sockets = new Set([...socketsOn(protocol, port), ...socketsOn(`${protocol}6`, port)]);
  if (sockets.size === 0) return undefined;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
        if (inode !== undefined && sockets.has(inode)) {
          return `${programName(pid)}, process ${pid}`;
        }
      }
    } catch {
      // It ended while we looked.
    }
  }
  return undefined;
}

/** The program's file name; the kernel's `comm` is what a thread calls itself ("MainThread"), but all that kernel threads have. */
function programName(pid: string): string {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ''));
  } catch {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  }
}

/** Inodes of the sockets bound to the port: listening ones of TCP, all of UDP. */
function socketsOn(table: string, port: number): string[] {
  let text: string;
  try {
    text = readFileSync(`/proc/net/${table}`, 'utf8');
  } catch {
    return [];
  }
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const listening = table.startsWith('udp') || fields[3] === '0A';
    return listening && fields[1]?.endsWith(wanted) === true && fields[9] !== undefined ? [fields[9]] : [];
  });
}
