/** Whether something listens on a published port, asked from outside. */
import { connect } from 'node:net';
import type { Container } from './container.ts';
import type { PublishedAddress } from './published.ts';

/** How long a proxy may take to find that nobody listens behind it. */
const proxyMs = 50;

export async function listens(container: Container, port: number, signal: AbortSignal): Promise<boolean> {
  const seen = await knock(container.port(port), signal);
  return seen === 'dropped' ? isListening(container, port, signal) : seen === 'open';
}

/**
 * Docker's proxy takes every connection and drops it when nobody listens inside: one that stays is real. One that is dropped may be the
 * server's own doing.
 */
function knock(address: PublishedAddress, signal: AbortSignal): Promise<'open' | 'dropped' | 'refused'> {
  return new Promise((resolve) => {
    const socket = connect(address);
    let timer: NodeJS.Timeout | undefined;
    let isConnected = false;
    const end = (seen: 'open' | 'dropped' | 'refused'): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', refused);
      socket.destroy();
      resolve(seen);
    };
    const refused = (): void => end('refused');
    const dropped = (): void => end(isConnected ? 'dropped' : 'refused');
    signal.addEventListener('abort', refused, { once: true });
    socket.on('error', dropped);
    socket.on('close', dropped);
    socket.on('end', dropped);
    socket.on('data', () => end('open'));
    socket.on('connect', () => {
      isConnected = true;
      timer = setTimeout(() => end('open'), proxyMs);
    });
  });
}

/** The kernel's word, from inside; an image without `cat` says nothing. */
async function isListening(container: Container, port: number, signal: AbortSignal): Promise<boolean> {
  const { stdout } = await container.exec(['cat', '/proc/net/tcp', '/proc/net/tcp6'], { signal });
  return hasListener(stdout, port);
}

/** Lines of /proc/net/tcp: "0: 00000000:0050 00000000:0000 0A …", where 0A is LISTEN. */
export function hasListener(table: string, port: number): boolean {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return table.split('\n').some((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/);
    return state === '0A' && local.endsWith(`:${wanted}`);
  });
}
