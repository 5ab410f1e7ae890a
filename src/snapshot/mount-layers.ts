/** Mounts layers on each other: by the kernel, or by fuse-overlayfs where the kernel lets no user namespace mount an overlay. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mountOverlay, type OverlayMount, privileges, unmount } from '../linux/index.ts';
import { errorCode, Fault } from '../std/index.ts';

/** What the kernel must not do, for layers and diffs to stay plain directories. */
const options = ['index=off', 'metacopy=off', 'redirect_dir=off'];
/** With these redirections are off, and must not be spoken of. */
const userOptions = ['index=off', 'metacopy=off', 'userxattr'];
const fuseProgram = 'fuse-overlayfs';

let byFuse = false;

/** @throws SystemError of the kernel; Fault unavailable with what fuse-overlayfs says */
export function mountLayers(overlay: Omit<OverlayMount, 'options'>): void {
  if (byFuse) mountByFuse(overlay);
  else mountOverlay({ ...overlay, options: kernelOptions() });
}

/** `overlay`, or `fuse-overlayfs`: how `mountLayers` does it. */
export function overlayDriver(): 'overlay' | 'fuse-overlayfs' {
  return byFuse ? 'fuse-overlayfs' : 'overlay';
}

/**
 * Finds out in `scratch` how layers can be mounted here. Root of the machine is not asked: there it is the kernel's overlayfs or nothing.
 * @throws Fault unavailable naming the package
 */
export function chooseOverlay(scratch: string, wanted: string | undefined): void {
  byFuse = false;
  if (!privileges().inUserNamespace) return;
  const folder = mkdtempSync(join(scratch, 'try-'));
  const [lower, upper, work, target] = ['l', 'u', 'w', 'm'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const each of [lower, upper, work, target]) mkdirSync(each);
  const attempt = { lower: [lower], upper, work, target };
  try {
    if (wanted !== fuseProgram) {
      try {
        mountOverlay({ ...attempt, options: kernelOptions() });
        return;
      } catch (error) {
        if (!['EPERM', 'EINVAL', 'ENODEV', 'EOPNOTSUPP'].includes(errorCode(error) ?? '')) throw error;
      }
    }
    mountByFuse(attempt);
    byFuse = true;
  } finally {
    unmount(target);
    rmSync(folder, { recursive: true, force: true });
  }
}

function kernelOptions(): readonly string[] {
  return privileges().inUserNamespace ? userOptions : options;
}

function mountByFuse({ lower, upper, work, target }: Omit<OverlayMount, 'options'>): void {
  const escape = (path: string): string => path.replace(/[\\,:]/g, String.raw`\$&`);
  const words = [`lowerdir=${lower.map(escape).join(':')}`];
  if (upper !== undefined) words.push(`upperdir=${escape(upper)}`, `workdir=${escape(work ?? '')}`);
  const { status, stderr, error } = spawnSync(fuseProgram, ['-o', words.join(','), target], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status === 0) return;
  if (error !== undefined)
    throw new Fault(
      'unavailable',
      'Cannot mount images: this kernel lets no user namespace mount an overlay (Linux 5.11 does), and fuse-overlayfs is not installed. Install it: apt-get install fuse-overlayfs',
      { cause: error },
    );
  throw new Fault('unavailable', `Cannot mount images: fuse-overlayfs: ${stderr.trim() || `exit status ${status}`}`);
}
