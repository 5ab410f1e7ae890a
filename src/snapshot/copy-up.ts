/** Brings what a layer below has under a name into a layer being unpacked, with all its attributes, so that it can be hard linked. */
import { type BigIntStats, readlinkSync } from 'node:fs';
import {
  changeModeAt,
  changeOwnerAt,
  makeNodeAt,
  must,
  mustOwn,
  setTimesAt,
  setXattr,
  symlinkAt,
} from '../linux/index.ts';
import { deviceOf, tolerate, xattrsOf } from './attributes.ts';
import type { ContentSink } from './content-sink.ts';

export interface CopyTarget {
  /** The open directory that gets the name. */
  directory: number;
  name: Buffer;
  /** The same place as a path. */
  path: Buffer;
}

/** Anything but a directory. @returns what it adds to the size of the layer */
export function copyUp(
  below: { path: Buffer; stat: BigIntStats },
  { directory, name, path }: CopyTarget,
  sink: ContentSink,
): number {
  const { stat } = below;
  let size = 0;
  if (stat.isFile()) {
    sink.copyUp(below.path, path, stat);
    size = Number(stat.size);
  } else if (stat.isSymbolicLink()) {
    const target = readlinkSync(below.path, { encoding: 'buffer' });
    must('symlinkat', symlinkAt(target, directory, name), name);
    size = target.length;
  } else {
    const mode = Number(stat.mode) & 0o170600;
    must('mknodat', makeNodeAt(directory, name, mode, deviceOf(stat.rdev)), name);
  }
  mustOwn('fchownat', changeOwnerAt(directory, name, Number(stat.uid), Number(stat.gid)), name);
  if (!stat.isSymbolicLink()) must('fchmodat', changeModeAt(directory, name, Number(stat.mode) & 0o7777), name);
  for (const [key, value] of xattrsOf(below.path)) tolerate(setXattr(path, key, value), key, name);
  must('utimensat', setTimesAt(directory, name, stat.mtimeNs), name);
  return size;
}
