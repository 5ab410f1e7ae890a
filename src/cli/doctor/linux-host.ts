/** The machine we are on, as checks ask for it. */
import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { connect } from 'node:net';
import { homedir, userInfo } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createClient } from '../../client/index.ts';
import { errorCode, freeSpace, runProgram } from '../../std/index.ts';
import type { Answer, FileFacts, Host, ProgramOutcome } from './host.ts';

/** A program that takes longer has no answer. */
const patienceMs = 5000;
const socketPatienceMs = 2000;
const systemFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/libexec'];

export function linuxHost(env: Host['env'], now: number): Host {
  const find = (program: string): string | undefined =>
    program.includes('/')
      ? executable(program)
      : [...(env['PATH'] ?? '').split(delimiter).filter(Boolean), ...systemFolders]
          .map((folder) => join(folder, program))
          .find((path) => executable(path) !== undefined);
  const run = async (program: string, args: readonly string[]): Promise<ProgramOutcome | undefined> => {
    const path = find(program);
    if (path === undefined) return undefined;
    try {
      const signal = AbortSignal.timeout(patienceMs);
      return await runProgram(path, args, { env: { ...env, LC_ALL: 'C' }, signal });
    } catch {
      return undefined;
    }
  };
  return {
    uid: process.getuid?.() ?? 0,
    user: userName(),
    home: homedir(),
    env,
    now,
    read: (path) => attempt(() => readFileSync(path, 'utf8')),
    list: (path) => attempt(() => readdirSync(path)),
    stat: (path) => attempt(() => factsOf(path)),
    resolve,
    space: (path) => attempt(() => freeSpace(path)),
    find,
    run,
    tryOverlay: (parent, { asUser }) => tryOverlay(run, parent, asUser),
    engineAt,
  };
}

function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

function executable(path: string): string | undefined {
  return attempt(() => {
    accessSync(path, constants.X_OK);
    return path;
  });
}

function userName(): string {
  return attempt(() => userInfo().username) ?? String(process.getuid?.() ?? 0);
}

function factsOf(path: string): FileFacts {
  const stat = lstatSync(path);
  const kind = stat.isFile()
    ? 'file'
    : stat.isDirectory()
      ? 'directory'
      : stat.isSocket()
        ? 'socket'
        : stat.isSymbolicLink()
          ? 'link'
          : 'other';
  return { kind, mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid, modifiedMs: stat.mtimeMs };
}

function resolve(path: string): string {
  for (let at = path; ; at = dirname(at)) {
    const real = attempt(() => realpathSync(at));
    if (real !== undefined || at === dirname(at)) return real ?? at;
  }
}

/** Relative paths: a comma or a colon in the folder's name would be read as part of the options. */
const overlayScript =
  'cd "$1" && mount -t overlay overlay -o "lowerdir=lower,upperdir=upper,workdir=work$2" merged && echo x > merged/file && rmdir merged/folder';

async function tryOverlay(run: Host['run'], parent: string, asUser: boolean): Promise<string | undefined> {
  const folder = attempt(() => mkdtempSync(join(parent, '.wherry-doctor-')));
  if (folder === undefined) return undefined;
  try {
    for (const name of ['lower', 'upper', 'work', 'merged', 'lower/folder']) mkdirSync(join(folder, name));
    const flags = asUser ? ['-U', '-r', '-m'] : ['-m'];
    const ran = await run('unshare', [...flags, 'sh', '-c', overlayScript, 'sh', folder, asUser ? ',userxattr' : '']);
    if (ran === undefined || ran.code === 127) return undefined;
    const said = ran.stderr.trim().split('\n')[0] ?? '';
    return ran.code === 0 ? 'ok' : said.replaceAll(folder, parent) || `exit code ${ran.code}`;
  } finally {
    attempt(() => rmSync(folder, { recursive: true, force: true }));
  }
}

async function engineAt(socket: string): Promise<Answer> {
  const refusal = missing(socket) ?? (await knock(socket));
  if (refusal !== undefined) return refusal;
  const client = createClient({ endpoint: `unix://${socket}` });
  try {
    return await within(describe(client), socketPatienceMs);
  } catch {
    return { kind: 'silent' };
  } finally {
    client.close();
  }
}

/** Why there is nothing to knock at; a link that leads nowhere was left behind. */
function missing(socket: string): Answer | undefined {
  try {
    statSync(socket);
    return undefined;
  } catch (error) {
    if (errorCode(error) === 'EACCES') return { kind: 'denied' };
    return { kind: attempt(() => lstatSync(socket)) === undefined ? 'absent' : 'refused' };
  }
}

/** Why nobody opens; undefined when somebody does. */
function knock(socket: string): Promise<Answer | undefined> {
  return new Promise((settle) => {
    const connection = connect(socket);
    const end = (answer: Answer | undefined): void => {
      connection.destroy();
      settle(answer);
    };
    connection.setTimeout(socketPatienceMs, () => end({ kind: 'silent' }));
    connection.once('connect', () => end(undefined));
    connection.once('error', (error) => {
      const code = errorCode(error);
      end({ kind: code === 'EACCES' || code === 'EPERM' ? 'denied' : code === 'ENOENT' ? 'absent' : 'refused' });
    });
  });
}

async function describe(client: ReturnType<typeof createClient>): Promise<Answer> {
  const { Platform, Components, Version } = await client.system.version();
  const [info, networks, containers] = await Promise.all([
    client.system.info(),
    client.networks.list(),
    client.containers.list(),
  ]);
  const product = Platform?.Name?.startsWith('Wherry')
    ? 'Wherry'
    : (Components ?? []).some(({ Name }) => Name.startsWith('Podman'))
      ? 'Podman'
      : 'Docker';
  const options = networks.find(({ Name }) => Name === 'bridge')?.Options;
  const bridge = options?.['com.docker.network.bridge.name'];
  const ports = containers.flatMap(({ Ports }) =>
    (Ports ?? []).flatMap(({ PublicPort, Type }) => (PublicPort === undefined ? [] : [`${PublicPort}/${Type}`])),
  );
  return {
    kind: 'engine',
    product,
    version: Version,
    dataRoot: typeof info.DockerRootDir === 'string' ? info.DockerRootDir : '',
    bridge,
    ports: [...new Set(ports)],
  };
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error('no answer in time')), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
