/** Where the server listens: unix sockets, TCP with or without TLS, sockets handed over by a service manager. */
import { chmod, chown, readFile, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { errorCode, Fault, messageOf } from '../std/index.ts';

export interface UnixTarget {
  readonly path: string;
  /** File mode; default 0o660. */
  readonly mode?: number;
  /** Owning group, by name or number; default the process's. */
  readonly group?: string | number;
}

/** Connections that may wait to be accepted, as dockerd has it: beyond them, clients of a unix socket are turned away at once. */
const backlog = 4096;

/** PEM texts, not paths. */
export interface TlsOptions {
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  /** The authority that signs client certificates. */
  readonly ca?: string | Uint8Array;
  /** Whether a client must show a certificate signed by `ca` (mutual TLS). */
  readonly verify: boolean;
}

export interface TcpTarget {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly tls?: TlsOptions;
}

/** A socket already bound and listening, as fd:// means. */
export interface FdTarget {
  readonly fd: number;
}

export type Target = UnixTarget | TcpTarget | FdTarget;

/** Starts listening; `onSocket` gets every connection, ready for bytes. @throws Fault */
export async function openListener(target: Target, onSocket: (socket: Socket) => void): Promise<Server> {
  const server = 'host' in target && target.tls !== undefined ? tlsServer(target.tls) : plainServer();
  server.on('tls' in target && target.tls !== undefined ? 'secureConnection' : 'connection', (socket: Socket) => {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    onSocket(socket);
  });
  if ('path' in target) await listenUnix(server, target);
  else await listenOn(server, 'fd' in target ? { fd: target.fd } : { host: target.host, port: target.port }, target);
  return server;
}

/** Half-open: a client that has said all it wants still gets its answer. */
function plainServer(): Server {
  return createServer({ allowHalfOpen: true });
}

function tlsServer(tls: TlsOptions): Server {
  if (tls.verify && tls.ca === undefined) {
    throw new Fault('invalid', 'Cannot verify client certificates: want the authority that signs them (ca)');
  }
  const server = createTlsServer({
    allowHalfOpen: true,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    cert: asBuffer(tls.cert),
    key: asBuffer(tls.key),
    requestCert: tls.verify,
    rejectUnauthorized: tls.verify,
    ...(tls.ca === undefined ? {} : { ca: asBuffer(tls.ca) }),
  });
  // A failed handshake is the client's affair; its socket is already closed.
  server.on('tlsClientError', () => {});
  return server;
}

function asBuffer(pem: string | Uint8Array): string | Buffer {
  return typeof pem === 'string' ? pem : Buffer.from(pem);
}

async function listenUnix(server: Server, target: UnixTarget): Promise<void> {
  try {
    await listening(server, { path: target.path });
  } catch (error) {
    if (errorCode(error) !== 'EADDRINUSE') throw refusal(target.path, error);
    if (await answers(target.path)) {
      throw new Fault('conflict', `Cannot listen on ${JSON.stringify(target.path)}: another server answers there`, {
        cause: error,
      });
    }
    // Left behind by a server that was killed.
    await rm(target.path);
    await listenOn(server, { path: target.path }, target);
  }
  try {
    if (target.group !== undefined) await chown(target.path, process.getuid?.() ?? 0, await groupId(target.group));
    await chmod(target.path, target.mode ?? 0o660);
  } catch (error) {
    server.close();
    throw error instanceof Fault ? error : refusal(target.path, error);
  }
}

type Address = { path: string } | { host: string; port: number } | { fd: number };

async function listenOn(server: Server, address: Address, target: Target): Promise<void> {
  try {
    await listening(server, address);
  } catch (error) {
    const where = 'path' in target ? target.path : 'fd' in target ? `fd ${target.fd}` : `${target.host}:${target.port}`;
    throw refusal(where, error);
  }
}

function listening(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen('fd' in address ? address : { ...address, backlog }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function refusal(where: string, error: unknown): Fault {
  return new Fault('unavailable', `Cannot listen on ${JSON.stringify(where)}: ${messageOf(error)}`, { cause: error });
}

/** Whether something accepts connections at a unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

async function groupId(group: string | number): Promise<number> {
  if (typeof group === 'number') return group;
  if (/^\d+$/.test(group)) return Number(group);
  for (const line of (await readFile('/etc/group', 'utf8')).split('\n')) {
    const [name, , id] = line.split(':');
    if (name === group && id !== undefined) return Number(id);
  }
  throw new Fault('invalid', `Cannot give the socket to group ${JSON.stringify(group)}: there is no such group`);
}
