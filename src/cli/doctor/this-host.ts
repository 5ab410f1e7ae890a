/** The facts of the machine that the command runs on. */
import { accessSync, constants, lstatSync, openSync, readdirSync, readSync, closeSync, statfsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { SystemInfo, SystemVersion } from '../../api/index.ts';
import { createClient } from '../../client/index.ts';
import { errorCode, runProgram } from '../../std/index.ts';
import { contextName } from '../../context/index.ts';
import { dataFolder, pidPath, socketPath } from '../daemon/paths.ts';
import type { Session } from '../session.ts';
import type { Answer, Host, PathFacts } from './host.ts';

const patienceMs = 2000;
const most = 1 << 20;
/** Ordinary users have no /usr/sbin in PATH, and what is looked for is there. */
const systemFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export async function thisHost(session: Session): Promise<Host> {
  const { env } = session;
  const endpoint = await chosen(session);
  // A daemon of one's own (-H unix://…) is looked at where it is asked for.
  const asked = endpoint.path !== undefined && session.options.host !== undefined ? endpoint.path : undefined;
  const socket = asked ?? socketPath;
  const answer = await ask(socket);
  return {
    env,
    uid: process.getuid?.() ?? 0,
    user: nameOfUser(),
    now: session.now(),
    endpoint: { url: endpoint.url, because: endpoint.because },
    socket,
    pidfile: asked === undefined ? pidPath : join(dirname(asked), 'wherryd.pid'),
    dataRoot: (answer.state === 'answers' ? answer.dataRoot : undefined) ?? configuredDataRoot() ?? dataFolder,
    processes: () =>
      (list('/proc') ?? []).flatMap((name) => (/^\d+$/.test(name) ? [read(`/proc/${name}/comm`)?.trim() ?? ''] : [])),
    read,
    list,
    stat,
    space,
    find: (program) => find(program, env['PATH'] ?? ''),
    run: async (program, args) => {
      const file = find(program, env['PATH'] ?? '');
      if (file === undefined) return undefined;
      try {
        return await runProgram(file, args, { signal: AbortSignal.timeout(patienceMs) });
      } catch {
        return undefined;
      }
    },
    ask: async (path) => (path === socket ? answer : ask(path)),
  };
}

async function chosen(session: Session): Promise<{ url: string; path?: string; because: string | undefined }> {
  const { env, options } = session;
  const because = (): string | undefined => {
    if (options.host !== undefined) return '-H';
    if (options.context !== undefined) return '--context';
    const name = ['DOCKER_HOST', 'WHERRY_HOST'].find((each) => (env[each] ?? '') !== '');
    if (name !== undefined) return name;
    const context = contextName(options, env, () => session.config());
    return context === 'default' ? undefined : `context ${context}`;
  };
  try {
    const { endpoint } = await session.endpoint();
    const path = endpoint.kind === 'unix' ? { path: endpoint.path } : {};
    return { url: endpoint.url, ...path, because: because() };
  } catch (error) {
    return { url: `nowhere (${error instanceof Error ? error.message : String(error)})`, because: because() };
  }
}

function nameOfUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in /etc/passwd.
    return String(process.getuid?.() ?? 0);
  }
}

function configuredDataRoot(): string | undefined {
  try {
    const settings = JSON.parse(read('/etc/wherry/daemon.json') ?? '{}') as Record<string, unknown>;
    return typeof settings['data-root'] === 'string' ? settings['data-root'] : undefined;
  } catch {
    return undefined;
  }
}

/** Bounded: files of /proc have no size that could be looked at first. */
function read(path: string): string | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(most);
    let length = 0;
    for (let count = -1; count !== 0 && length < most; length += count)
      count = readSync(descriptor, buffer, length, most - length, null);
    return buffer.toString('utf8', 0, length);
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function list(path: string): string[] | undefined {
  try {
    return readdirSync(path);
  } catch {
    return undefined;
  }
}

function stat(path: string): PathFacts | undefined {
  try {
    const facts = lstatSync(path);
    const kind = facts.isFile()
      ? 'file'
      : facts.isDirectory()
        ? 'folder'
        : facts.isSocket()
          ? 'socket'
          : facts.isSymbolicLink()
            ? 'link'
            : 'other';
    return { kind, mode: facts.mode & 0o7777, uid: facts.uid, gid: facts.gid };
  } catch {
    return undefined;
  }
}

function space(path: string): ReturnType<Host['space']> {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      const { type, bsize, blocks, bavail, files, ffree } = statfsSync(folder);
      return { type, size: blocks * bsize, available: bavail * bsize, inodes: files, freeInodes: ffree };
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || folder === dirname(folder)) return undefined;
    }
  }
}

function find(program: string, path: string): string | undefined {
  if (program.includes('/')) return program;
  for (const folder of [...path.split(delimiter), ...systemFolders]) {
    if (folder === '') continue;
    const file = join(folder, program);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // In another folder, or nowhere.
    }
  }
  return undefined;
}

async function ask(path: string): Promise<Answer> {
  const client = createClient({ endpoint: `unix://${path}` });
  try {
    await client.system.ping(AbortSignal.timeout(patienceMs));
    const version: SystemVersion = await client.system.version();
    const info: SystemInfo | undefined = await client.system.info().catch(() => undefined);
    const platform = version.Platform.Name || `an engine without a name (${version.Version})`;
    return { state: 'answers', platform, version: version.Version, dataRoot: text(info?.['DockerRootDir']) };
  } catch (error) {
    return { state: stateOf(error) };
  } finally {
    client.close();
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function stateOf(error: unknown): 'absent' | 'refused' | 'denied' | 'silent' {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const code = errorCode(each);
    if (code === 'ENOENT') return 'absent';
    if (code === 'EACCES' || code === 'EPERM') return 'denied';
    if (code === 'ECONNREFUSED') return 'refused';
  }
  return 'silent';
}
