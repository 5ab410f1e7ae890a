/** Opens one byte stream to a daemon. The caller owns it and destroys it. */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import { errorCode, Fault, messageOf } from '../std/index.ts';
import type { Endpoint } from './endpoint.ts';

/** @throws Fault unavailable when nothing answers there, forbidden when the socket may not be opened. */
export async function dial(endpoint: Endpoint): Promise<Duplex> {
  if (endpoint.kind === 'ssh') return dialSsh(endpoint);
  try {
    if (endpoint.kind === 'unix')
      return await connected(connect({ path: endpoint.path, allowHalfOpen: true }), 'connect');
    if (endpoint.tls !== undefined) return await dialTls(endpoint, endpoint.tls);
    const socket = connect({ host: endpoint.host, port: endpoint.port, allowHalfOpen: true, noDelay: true });
    return await connected(socket, 'connect');
  } catch (error) {
    throw refusal(endpoint, error);
  }
}

function connected<T extends Duplex>(socket: T, event: string): Promise<T> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once(event, () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

async function dialTls(
  endpoint: Extract<Endpoint, { kind: 'tcp' }>,
  tls: NonNullable<Extract<Endpoint, { kind: 'tcp' }>['tls']>,
): Promise<Duplex> {
  const { connect: connectTls } = await import('node:tls');
  const { isIP } = await import('node:net');
  const options: ConnectionOptions & { host: string; port: number; allowHalfOpen: boolean } = {
    host: endpoint.host,
    port: endpoint.port,
    ...(isIP(endpoint.host) === 0 ? { servername: endpoint.host } : {}),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    rejectUnauthorized: tls.verify,
    allowHalfOpen: true,
  };
  return connected(connectTls(options), 'secureConnect');
}

/** What runs at the other end: Docker's CLI, or ours where there is no Docker's. */
const remoteCommand = (path: string): string => {
  const host = path === '' ? '' : `--host ${shellQuote(`unix://${path}`)} `;
  return `if command -v docker >/dev/null 2>&1; then exec docker ${host}system dial-stdio; else exec wherry ${host}system dial-stdio; fi`;
};

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

async function dialSsh(endpoint: Extract<Endpoint, { kind: 'ssh' }>): Promise<Duplex> {
  const [{ spawn }, { Duplex: DuplexStream }] = await Promise.all([
    import('node:child_process'),
    import('node:stream'),
  ]);
  const target = [
    ...(endpoint.user === undefined ? [] : ['-l', endpoint.user]),
    ...(endpoint.port === undefined ? [] : ['-p', String(endpoint.port)]),
    '-o',
    'ConnectTimeout=30',
    '-T',
    '--',
    endpoint.host,
    remoteCommand(endpoint.path),
  ];
  const child = spawn('ssh', target, { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(-4096);
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new Fault('unavailable', `Cannot run ssh: ${messageOf(error)}`)));
  });
  const stream = DuplexStream.from({ writable: child.stdin, readable: child.stdout });
  child.once('exit', (code) => {
    if (code === 0 || code === null) return;
    const why = complaint.trim() === '' ? `exit status ${code}` : complaint.trim();
    stream.destroy(new Fault('unavailable', `Cannot reach ${endpoint.url} through ssh: ${why}`));
  });
  stream.once('close', () => child.kill());
  return stream;
}

function refusal(endpoint: Endpoint, error: unknown): Fault {
  const code = errorCode(error);
  if (code === 'EACCES' || code === 'EPERM') {
    return new Fault(
      'forbidden',
      `permission denied while trying to connect to the Docker daemon socket at ${endpoint.url}: connect: permission denied`,
      { cause: error },
    );
  }
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new Fault(
      'unavailable',
      `Cannot connect to the Docker daemon at ${endpoint.url}. Is the docker daemon running?`,
      { cause: error },
    );
  }
  return new Fault('unavailable', `Cannot connect to the Docker daemon at ${endpoint.url}: ${messageOf(error)}`, {
    cause: error,
  });
}
