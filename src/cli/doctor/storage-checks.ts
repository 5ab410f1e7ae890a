/** The data root: on which file system, and how much room there is. */
import { humanSize } from '../../std/index.ts';
import { type Check, fail, type Finding, ok, warn } from './check.ts';
import type { Host } from './host.ts';

const elsewhere = 'put "data-root" in /etc/wherry/daemon.json on a local ext4, xfs or btrfs';
const unfit =
  (why: string) =>
  (name: string): Finding =>
    fail(`${name}: ${why}`, elsewhere);

/** By f_type (statfs(2)): its name, and what speaks against it. */
const fileSystems: ReadonlyMap<number, { name: string; against?: (name: string) => Finding }> = new Map([
  [0xef53, { name: 'ext4' }],
  [0x58465342, { name: 'xfs' }],
  [0x9123683e, { name: 'btrfs' }],
  [0xf2f52010, { name: 'f2fs' }],
  [
    0x2fc12fc1,
    { name: 'zfs', against: (name) => warn(`${name}: needs version 2.2 or newer below overlayfs`, 'zfs version') },
  ],
  [0x01021994, { name: 'tmpfs', against: (name) => warn(`${name}: everything is gone with the next boot`, elsewhere) }],
  [0x794c7630, { name: 'overlay', against: unfit('overlayfs cannot stand on itself') }],
  [0x6969, { name: 'nfs', against: unfit('overlayfs cannot write there') }],
  [0xff534d42, { name: 'cifs', against: unfit('overlayfs cannot write there') }],
  [0xfe534d42, { name: 'smb2', against: unfit('overlayfs cannot write there') }],
  [0xf15f, { name: 'ecryptfs', against: unfit('overlayfs cannot stand on it') }],
  [0x65735546, { name: 'fuse', against: unfit('overlayfs cannot write there') }],
  [0x01021997, { name: '9p', against: unfit('overlayfs cannot write there') }],
  [0x4d44, { name: 'vfat', against: unfit('it keeps no owners and modes') }],
]);

const lowBytes = 5e9;
const leastBytes = 5e8;

export const storageChecks: readonly Check[] = [
  {
    id: 'data-root',
    title: 'Data root',
    async run(host) {
      const space = host.space(host.dataRoot);
      if (space === undefined) return warn(`${host.dataRoot} cannot be looked at`, `df ${host.dataRoot}`);
      const known = fileSystems.get(space.type);
      if (known?.against !== undefined) return known.against(`${host.dataRoot} is on ${known.name}`);
      if (known?.name === 'xfs' && (await lacksFileTypes(host)))
        return fail(
          `${host.dataRoot} is on xfs without ftype: removed files would come back`,
          'mkfs.xfs -n ftype=1 on another disk, and put "data-root" there',
        );
      return ok(`${host.dataRoot} on ${known?.name ?? `a file system of type 0x${space.type.toString(16)}`}`);
    },
  },
  {
    id: 'space',
    title: 'Free space',
    run(host) {
      const space = host.space(host.dataRoot);
      if (space === undefined) return warn('cannot be told', `df -h ${host.dataRoot}`);
      const { available, size } = space;
      const text = `${humanSize(available)} of ${humanSize(size)}`;
      if (available < leastBytes) return fail(`${text}: pulls and builds will fail`, 'wherry system prune');
      return available < lowBytes || available < size / 20
        ? warn(`${text} is not much`, 'wherry system df, then wherry system prune')
        : ok(text);
    },
  },
  {
    id: 'inodes',
    title: 'Free inodes',
    run(host) {
      const space = host.space(host.dataRoot);
      if (space === undefined) return warn('cannot be told', `df -i ${host.dataRoot}`);
      const { inodes, freeInodes } = space;
      if (inodes === 0) return ok('made as needed');
      const text = `${freeInodes} of ${inodes}`;
      if (freeInodes < 10_000) return fail(`${text}: no image will fit`, 'wherry system prune');
      return freeInodes < inodes / 20 ? warn(`${text} is not much`, 'wherry system prune') : ok(text);
    },
  },
];

async function lacksFileTypes(host: Host): Promise<boolean> {
  const said = await host.run('xfs_info', [host.dataRoot]);
  return said?.code === 0 && /\bftype=0\b/.test(said.stdout);
}
