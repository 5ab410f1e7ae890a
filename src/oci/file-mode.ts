/** Go's os.FileMode, which the Engine API speaks, to and from the kernel's st_mode. */

const types: readonly (readonly [stat: number, go: number])[] = [
  [0o040000, 0x80000000],
  [0o120000, 0x08000000],
  [0o060000, 0x04000000],
  [0o020000, 0x04000000 + 0x00200000],
  [0o010000, 0x02000000],
  [0o140000, 0x01000000],
];

/** 2147484141 for a 0755 directory. */
export function goFileMode(statMode: number): number {
  const type = types.find(([stat]) => stat === (statMode & 0o170000));
  let mode = (statMode & 0o777) + (type?.[1] ?? 0);
  if ((statMode & 0o4000) !== 0) mode += 0x00800000;
  if ((statMode & 0o2000) !== 0) mode += 0x00400000;
  if ((statMode & 0o1000) !== 0) mode += 0x00100000;
  return mode;
}

/** The st_mode of a Go os.FileMode; a regular file where no type bit is set. */
export function statFileMode(goMode: number): number {
  const bits = goMode >>> 0;
  const mask = (0x80000000 | 0x08000000 | 0x04000000 | 0x00200000 | 0x02000000 | 0x01000000) >>> 0;
  const type = types.find(([, go]) => go >>> 0 === (bits & mask) >>> 0);
  let mode = (bits & 0o777) | (type?.[0] ?? 0o100000);
  if ((bits & 0x00800000) !== 0) mode |= 0o4000;
  if ((bits & 0x00400000) !== 0) mode |= 0o2000;
  if ((bits & 0x00100000) !== 0) mode |= 0o1000;
  return mode;
}
