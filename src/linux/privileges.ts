/**
 * What this process may do. Root of a user namespace (rootless mode) is refused some of what root of the machine may: the rooms ask
 * here, so that each refusal has one place that knows of it.
 */
import { readFileSync } from 'node:fs';
import { errno, must } from './filesystem.ts';
import type { IdRange } from './id-mapping.ts';

export interface Privileges {
  /** In a user namespace that is not the machine's first. */
  inUserNamespace: boolean;
  /** Ids that exist here; others cannot own a file. */
  uids: readonly IdRange[];
  gids: readonly IdRange[];
  /** Device nodes other than overlayfs's whiteouts. */
  mayMakeDevices: boolean;
  /** Resource limits above our own hard ones. */
  mayRaiseLimits: boolean;
  /** The lowest oom_score_adj that we can give away; undefined: any. */
  lowestOomScore: number | undefined;
  /** What overlayfs calls its own xattrs for us, with the dot at the end. */
  overlayXattrs: 'trusted.overlay.' | 'user.overlay.';
}

let found: Privileges | undefined;

/** Asked once: they do not change while a process runs. */
export function privileges(): Privileges {
  return (found ??= ask());
}

function ask(): Privileges {
  const uids = readIdMap(readFileSync('/proc/self/uid_map', 'utf8'));
  const gids = readIdMap(readFileSync('/proc/self/gid_map', 'utf8'));
  const inUserNamespace = !isWholeMap(uids);
  const effective = BigInt(
    `0x${/^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`,
  );
  const has = (capability: bigint): boolean => !inUserNamespace && ((effective >> capability) & 1n) === 1n;
  const sysResource = 24n;
  return {
    inUserNamespace,
    uids,
    gids,
    mayMakeDevices: !inUserNamespace,
    mayRaiseLimits: has(sysResource),
    lowestOomScore: has(sysResource) ? undefined : Number(readFileSync('/proc/self/oom_score_adj', 'utf8')),
    overlayXattrs: inUserNamespace ? 'user.overlay.' : 'trusted.overlay.',
  };
}

/** uid_map(5) as ranges: ids here, ids in the namespace above, how many. Pure. */
export function readIdMap(text: string): IdRange[] {
  return text
    .trim()
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [container = 0, host = 0, size = 0] = line.trim().split(/\s+/).map(Number);
      return { container, host, size };
    });
}

/** The map of the machine's own namespace: all ids, each itself. Pure. */
export function isWholeMap(ranges: readonly IdRange[]): boolean {
  return (
    ranges.length === 1 && ranges[0]!.container === 0 && ranges[0]!.host === 0 && ranges[0]!.size === 4_294_967_295
  );
}

/** Whether the id is somebody here. Pure. */
export function isMapped(ranges: readonly IdRange[], id: number): boolean {
  return ranges.some(({ container, size }) => id >= container && id < container + size);
}

/** An owner that is nobody in this user namespace leaves the file its maker's: with a map of one id that is all that can be had. @throws SystemError */
export function mustOwn(call: string, result: number, name: string | Buffer): void {
  if (result === -errno.EINVAL && privileges().inUserNamespace) return;
  must(call, result, name);
}
