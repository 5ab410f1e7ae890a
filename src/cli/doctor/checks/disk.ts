/** The file system that everything is kept on. */
import { type Check, fail, type Finding, ok, type Patient, skip, together, warn } from '../check.ts';
import { humanSize } from '../../../std/index.ts';

export const diskChecks: readonly Check[] = [
  { id: 'filesystem', title: 'File system of the data root', run: filesystem },
  { id: 'space', title: 'Free space', run: space },
  { id: 'reflink', title: 'Copies without copying', run: reflink },
];

export interface Mount {
  readonly target: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

const elsewhere = 'Keep the data elsewhere: "data-root" in /etc/wherry/daemon.json, on ext4, xfs or btrfs.';

/** Kinds that are known not to do, and why. */
const unfit: Readonly<Record<string, { level: 'warn' | 'fail'; why: string }>> = {
  overlay: { level: 'fail', why: 'an overlay in which no other can be made' },
  aufs: { level: 'fail', why: 'a union in which no overlay can be made' },
  ecryptfs: { level: 'fail', why: 'encrypted in a way that overlayfs refuses' },
  nfs: { level: 'fail', why: 'on another machine: no owners, no extended attributes' },
  nfs4: { level: 'fail', why: 'on another machine: no owners, no extended attributes' },
  cifs: { level: 'fail', why: 'on another machine: no owners, no extended attributes' },
  smb3: { level: 'fail', why: 'on another machine: no owners, no extended attributes' },
  '9p': { level: 'fail', why: 'of another system: no overlays in it' },
  virtiofs: { level: 'warn', why: 'of another system: overlays in it need special settings' },
  vfat: { level: 'fail', why: 'without owners and links' },
  exfat: { level: 'fail', why: 'without owners and links' },
  ntfs3: { level: 'fail', why: 'without owners' },
  fuseblk: { level: 'fail', why: 'without owners' },
  ceph: { level: 'warn', why: 'on other machines: slow, and two daemons must not share it' },
  zfs: { level: 'warn', why: 'zfs, which takes overlays since 2.2 only' },
  tmpfs: { level: 'warn', why: 'memory: everything is gone with the next boot' },
};

async function filesystem({ host, engine }: Patient): Promise<Finding> {
  const path = host.resolve(engine.dataRoot);
  const mount = mountOf(readMounts(host.read('/proc/self/mountinfo') ?? ''), path);
  if (mount === undefined) return skip('/proc/self/mountinfo cannot be read');
  const { type, target, options } = mount;
  const findings: Finding[] = [];
  if (options.includes('ro'))
    findings.push(fail(`${target} is mounted read-only`, `sudo mount -o remount,rw ${target}`));
  const known =
    unfit[type] ?? (type.startsWith('fuse.') ? { level: 'warn' as const, why: 'in user space (FUSE)' } : undefined);
  if (known !== undefined) {
    const found = `${path} is on ${type}, ${known.why}`;
    findings.push(known.level === 'fail' ? fail(found, elsewhere) : warn(found, elsewhere));
  }
  if (type === 'xfs' && /\bftype=0\b/.test((await host.run('xfs_info', [target]))?.stdout ?? ''))
    findings.push(
      fail(
        `${path} is on xfs with ftype=0: overlayfs cannot tell kinds of files apart`,
        `Make it anew: sudo mkfs.xfs -n ftype=1 ${mount.source}`,
        elsewhere,
      ),
    );
  return findings.length > 0 ? together(findings) : ok(`${type} at ${target}`);
}

/** /proc/self/mountinfo: proc(5). */
export function readMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ');
    const [, , , , target, options] = (left ?? '').split(' ');
    const [type, source, superOptions] = (right ?? '').split(' ');
    if (target === undefined || type === undefined) return [];
    const all = [...(options ?? '').split(','), ...(superOptions ?? '').split(',')];
    const plain = target.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    return [{ target: plain, type, source: source ?? '', options: all }];
  });
}

/** The last of the longest: later mounts lie over earlier ones. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  return mounts
    .filter(({ target }) => target === '/' || path === target || path.startsWith(`${target}/`))
    .reduce<Mount | undefined>(
      (best, mount) => (mount.target.length >= (best?.target.length ?? 0) ? mount : best),
      undefined,
    );
}

const megabyte = 1e6;

function space({ host, engine }: Patient): Finding {
  const found = host.space(host.resolve(engine.dataRoot));
  if (found === undefined) return skip(`${engine.dataRoot} cannot be looked at`);
  const { total, available, inodes, freeInodes } = found;
  const mend = ['wherry system df', 'wherry system prune'];
  const free = `${humanSize(available)} of ${humanSize(total)} are free`;
  // As the engine itself keeps for records and logs.
  const least = Math.min(total / 50, 256 * megabyte);
  const findings = [
    available < least
      ? fail(`${free}: too little for images`, ...mend)
      : available < Math.min(total / 10, 5000 * megabyte)
        ? warn(free, ...mend)
        : ok(free),
  ];
  if (inodes > 0) {
    const text = `${freeInodes} of ${inodes} inodes are free`;
    findings.push(
      freeInodes < Math.min(inodes / 50, 5000)
        ? fail(`${text}: too few for images`, ...mend)
        : freeInodes < inodes / 20
          ? warn(text, ...mend)
          : ok(`${Math.floor((freeInodes / inodes) * 100)}% of inodes`),
    );
  }
  return together(findings);
}

async function reflink({ host, engine }: Patient): Promise<Finding> {
  const path = host.resolve(engine.dataRoot);
  const mount = mountOf(readMounts(host.read('/proc/self/mountinfo') ?? ''), path);
  const type = mount?.type ?? 'unknown';
  const does =
    type === 'btrfs' ||
    type === 'bcachefs' ||
    (type === 'xfs' && /\breflink=1\b/.test((await host.run('xfs_info', [mount!.target]))?.stdout ?? ''));
  return ok(does ? `${type} shares blocks between copies` : `${type} does not share blocks; copies take their room`);
}
