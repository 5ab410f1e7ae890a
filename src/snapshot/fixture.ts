/** What the room's tests share: snapshots on a throw-away root, and layers written down as lists of entries. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  chainId,
  type Digest,
  sha256,
  tarHeader,
  type TarHeader,
  type TarSource,
  type TarType,
  writeTar,
} from '../oci/index.ts';
import { collectBytes } from '../std/index.ts';
import type { Snapshots } from './door.ts';
import { openSnapshots } from './open.ts';

export const skipUnlessRoot: string | false =
  process.getuid?.() === 0 ? false : 'needs root (overlayfs, owners, devices)';

export interface Fixture extends AsyncDisposable {
  root: string;
  snapshots: Snapshots;
  reopen(): Promise<Snapshots>;
}

/** Disposing removes every snapshot, checks that no mount is left, and deletes the root. */
export async function openFixture(): Promise<Fixture> {
  const root = mkdtempSync(join(tmpdir(), 'wherry-snapshot-'));
  const fixture: Fixture = {
    root,
    snapshots: await openSnapshots({ root }),
    reopen: async () => {
      fixture.snapshots = await openSnapshots({ root });
      return fixture.snapshots;
    },
    [Symbol.asyncDispose]: async () => {
      for (const id of fixture.snapshots.writables()) await fixture.snapshots.remove(id);
      const left = readFileSync('/proc/self/mountinfo', 'utf8').includes(root);
      rmSync(root, { recursive: true, force: true });
      if (left) throw new Error(`mounts are left under ${root}`);
    },
  };
  return fixture;
}

/** An entry as `[name, type, rest, content]`. */
export type Line = [name: string | Buffer, type: TarType, rest?: Partial<TarHeader>, content?: string];

export function layer(...lines: Line[]): Promise<Buffer> {
  const entries = lines.map(([name, type, rest = {}, content]): TarSource => {
    const bytes = content === undefined ? undefined : Buffer.from(content);
    return { header: tarHeader(name, type, { size: bytes?.length ?? 0, ...rest }), body: bytes };
  });
  return collectBytes(writeTar(entries), 1 << 26);
}

export async function* bytesOf(data: Buffer, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

/** Applies the layers bottom up; returns the chain id of the stack. */
export async function applyAll(snapshots: Snapshots, ...layers: Buffer[]): Promise<Digest> {
  const diffIds: Digest[] = [];
  for (const tar of layers) {
    const parent = chainId(diffIds);
    diffIds.push(sha256(tar));
    await snapshots.apply({ chainId: chainId(diffIds)!, parent, diffId: sha256(tar), tar: bytesOf(tar) });
  }
  return chainId(diffIds)!;
}

/** Output of a shell script in `cwd`. */
export function sh(script: string, cwd: string): string {
  return execFileSync('sh', ['-ec', script], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The names below a mounted root, sorted, directories with a slash, symlinks with their target. */
export function listing(path: string): string[] {
  return sh(`find . -mindepth 1 -printf '%P%y%l\\n'`, path)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/d$/, '/').replace(/f$/, ''))
    .sort();
}
