/**
 * A disk that dies: ext4 on a loop device, shut down by the kernel's own fault injection (EXT4_IOC_SHUTDOWN, what xfstests use). From
 * then on everything on it is answered with EIO; and what was not made durable by then is lost, as when power fails.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, globSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, libc } from '../../src/linux/index.ts';
import type { Daemon } from './daemon.ts';
import { until } from './docker.ts';
import { hashOf, processesOf } from './leaks.ts';

const EXT4_IOC_SHUTDOWN = 0x8004587d;
/** Not even the journal is written out. */
const NOLOGFLUSH = 2;

export interface FailingDisk extends Disposable {
  readonly path: string;
  /** Dies now. */
  dies(): void;
  /** The machine comes up again: nothing is mounted, the journal is played, the file system is checked and mounted. */
  revives(): void;
}

export function failingDisk(megabytes: number): FailingDisk {
  const root = mkdtempSync(join(tmpdir(), 'wherry-failing-'));
  const path = join(root, 'disk');
  let image = join(root, 'image');
  let drives = 0;
  mkdirSync(path);
  closeSync(openSync(image, 'w'));
  truncateSync(image, megabytes << 20);
  run('mkfs.ext4', '-q', '-F', '-m', '0', image);
  run('mount', '-o', 'loop', image, path);
  return {
    path,
    dies() {
      const folder = openSync(path, 'r');
      try {
        const how = Buffer.from([NOLOGFLUSH, 0, 0, 0]);
        check(
          'ioctl',
          libc('int ioctl(int fd, unsigned long request, void *data)')(folder, EXT4_IOC_SHUTDOWN, how),
          path,
        );
      } finally {
        closeSync(folder);
      }
    },
    revives() {
      unmountBelow(root);
      // What had reached the drive, on another one: somebody in another mount namespace may still hold the one that died.
      const copy = join(root, `image-${++drives}`);
      run('cp', '--sparse=always', image, copy);
      rmSync(image);
      image = copy;
      // Playing the journal is the mount's work; 1 of e2fsck means that something was put right.
      run('sh', '-c', `e2fsck -p -f ${image} >/dev/null || [ $? -le 1 ]`);
      run('mount', '-o', 'loop', image, path);
    },
    [Symbol.dispose]() {
      unmountBelow(root);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** All at once: the disk stops where it is, nothing runs any more; then the machine starts, and the daemon with it. */
export async function powerFails(daemon: Daemon, disk: FailingDisk): Promise<void> {
  disk.dies();
  await daemon.kill();
  await endProcesses(daemon);
  // What a reboot empties.
  for (const group of globSync(`/sys/fs/cgroup/{*/,}wherry-${hashOf(daemon.dataRoot)}`)) {
    execFileSync('find', [group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'], { stdio: 'ignore' });
  }
  disk.revives();
  unmountBelow(daemon.execRoot);
  rmSync(daemon.execRoot, { recursive: true, force: true });
  await daemon.start();
}

/** Everything in the engine's cgroups, and its monitors. */
async function endProcesses(daemon: Daemon): Promise<void> {
  const inGroups = (): number[] =>
    globSync(`/sys/fs/cgroup/{*/,}wherry-${hashOf(daemon.dataRoot)}/**/cgroup.procs`).flatMap((file) =>
      readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number),
    );
  await until(
    () => {
      const left = [...inGroups(), ...processesOf([daemon.root]).map(({ pid }) => pid)];
      for (const pid of left) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone by itself.
        }
      }
      return left.length === 0;
    },
    { timeoutMs: 10_000, what: 'all processes to end' },
  );
}

/** Everything that is mounted under a folder, or made of what is there, the last one first. */
function unmountBelow(folder: string): void {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(folder))
    .map((line) => line.split(' ')[4]!);
  for (const point of points.reverse()) run('umount', point);
}

function run(file: string, ...args: string[]): void {
  execFileSync(file, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 30_000 });
}
