/** RUN's mounts, made ready for its process; all of them last as long as `loans`. */
import { join } from 'node:path';
import type { StepMount } from '../../container/index.ts';
import { copyTreeContent } from '../../linux/index.ts';
import type { Through } from '../../snapshot/index.ts';
import { Fault, faultKind } from '../../std/index.ts';
import { copyInto } from '../files/copy-into.ts';
import { noAgent } from '../fetch/git-access.ts';
import { LentTree } from '../files/lent-tree.ts';
import type { ExecMount, Root } from '../plan/step.ts';
import { rootChain } from '../result/root.ts';
import type { CacheMount, FillFolder } from './cache-mounts.ts';
import type { BuildInputs, SolveContext } from './context.ts';
import { lendFolder, type Solved } from './lend.ts';

export interface MountScope {
  context: SolveContext;
  inputs: BuildInputs;
  solvedOf: (root: Root) => Solved;
}

export interface ReadyMounts {
  mounts: StepMount[];
  /** Secrets that are in the environment: `NAME=value`. */
  env: string[];
}

/** @throws Fault not-found for a source, a required secret or a required agent that is not there */
export async function readyMounts(
  scope: MountScope,
  mounts: readonly ExecMount[],
  loans: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<ReadyMounts> {
  const folders = await lendCaches(scope, mounts, loans, signal);
  const ready: ReadyMounts = { mounts: [], env: [] };
  for (const mount of mounts) {
    if (mount.type === 'tmpfs') ready.mounts.push(mount);
    else if (mount.type === 'bind') ready.mounts.push(await bindMount(scope, mount, loans, signal));
    else if (mount.type === 'secret') await addSecret(scope, mount, ready, signal);
    else if (mount.type === 'cache') {
      const { target, readOnly } = mount;
      ready.mounts.push({ type: 'bind', target, root: folders.get(mount)!, source: '/', readOnly });
    } else await addAgent(scope, mount, ready, loans, signal);
  }
  return ready;
}

/** In the order of their ids, which is the same in every step. */
async function lendCaches(
  scope: MountScope,
  mounts: readonly ExecMount[],
  loans: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Map<ExecMount, string>> {
  const caches = mounts.filter((mount): mount is CacheMount => mount.type === 'cache');
  const folders = new Map<ExecMount, string>();
  for (const mount of caches.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    folders.set(mount, await scope.context.cacheMounts.lend(mount, fillOf(scope, mount, loans), loans, signal));
  }
  return folders;
}

function fillOf(scope: MountScope, mount: CacheMount, loans: AsyncDisposableStack): FillFolder | undefined {
  if (mount.from === 'scratch') return mount.source === '/' ? scope.inputs.imported?.cacheMount(mount.id) : undefined;
  const begin = beginOf(scope, mount, loans);
  return (folder, signal) => copyTreeContent(begin, folder, signal);
}

/** The folder that a new cache is a copy of, with links in the way to it followed inside its tree. */
function beginOf({ context, solvedOf }: MountScope, mount: CacheMount, loans: AsyncDisposableStack): string {
  const folder = loans.use(lendFolder(context, solvedOf(mount.from), mount.source));
  using tree = new LentTree(folder.path);
  const real = tree.resolve(mount.source);
  if (real === undefined || tree.stat(real)?.isDirectory() !== true)
    throw new Fault('not-found', `${JSON.stringify(mount.source)}: not found`);
  return join(folder.path, real.toString());
}

async function bindMount(
  scope: MountScope,
  mount: Extract<ExecMount, { type: 'bind' }>,
  loans: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<StepMount> {
  const { target, source, readOnly } = mount;
  const { snapshots } = scope.context;
  const solved = scope.solvedOf(mount.from);
  if (!readOnly) {
    const { id, path } = await writableCopy(scope, solved, loans, signal);
    const mapped = (through: Through): Promise<string> => {
      snapshots.unmount(id);
      return Promise.resolve(snapshots.mount(id, through));
    };
    return { type: 'bind', target, root: path, source, readOnly, mapped };
  }
  const root = loans.use(lendFolder(scope.context, solved, source)).path;
  if (solved.kind === 'folder') return { type: 'bind', target, root, source, readOnly };
  const mapped = async (through: Through): Promise<string> =>
    snapshots.mount(await writableSnapshot(scope.context, solved, loans), through);
  return { type: 'bind', target, root, source, readOnly, mapped };
}

async function writableSnapshot(context: SolveContext, solved: Solved, loans: AsyncDisposableStack): Promise<string> {
  const id = context.newId();
  loans.defer(() => context.snapshots.remove(id));
  await context.snapshots.prepare(id, solved.kind === 'root' ? rootChain(solved.root) : undefined);
  return id;
}

/** What is written to it is forgotten. */
async function writableCopy(
  { context }: MountScope,
  solved: Solved,
  loans: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<{ id: string; path: string }> {
  const id = await writableSnapshot(context, solved, loans);
  const path = context.snapshots.mount(id);
  if (solved.kind === 'root') return { id, path };
  using tree = new LentTree(solved.folder.path);
  const { ignore } = solved.folder;
  const selection = { path: '/', isPattern: false, withParents: false, exclude: [], ignore };
  const everything = { kind: 'tree', tree, selection, keepOwner: false, dropped: 0, unpack: false } as const;
  const request = { sources: [everything], destination: '/', owner: undefined, mode: undefined, now: context.now() };
  await copyInto(path, request, signal);
  return { id, path };
}

async function addSecret(
  { inputs }: MountScope,
  mount: Extract<ExecMount, { type: 'secret' }>,
  ready: ReadyMounts,
  signal: AbortSignal,
): Promise<void> {
  const content = await inputs.secrets.secret(mount.id, signal);
  if (content === undefined) {
    if (mount.required) throw new Fault('not-found', `secret ${mount.id}: not found`);
    return;
  }
  if (mount.env !== undefined) ready.env.push(`${mount.env}=${Buffer.from(content).toString()}`);
  const { target, mode, uid, gid } = mount;
  if (target !== undefined) ready.mounts.push({ type: 'file', target, content, mode, uid, gid });
}

/** The client's agent, where it has one of that id. */
async function addAgent(
  { inputs }: MountScope,
  mount: Extract<ExecMount, { type: 'ssh' }>,
  ready: ReadyMounts,
  loans: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<void> {
  const { id, target, mode, uid, gid, required } = mount;
  try {
    const { socket } = loans.use(await inputs.secrets.agent(id, signal));
    ready.mounts.push({ type: 'socket', target, source: socket, mode, uid, gid });
  } catch (error) {
    if (faultKind(error) !== 'not-found') throw error;
    if (required) throw noAgent(id, error);
  }
}
