/** `--user` and `--group-add` against the image's own /etc/passwd and /etc/group. Pure. */
import { Fault } from '../std/index.ts';

export interface ProcessUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  home: string;
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}
interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/**
 * Resolves "user", "uid", "user:group", … as Docker (runc's libcontainer/user). `passwd` and `group` are the files' texts, "" when
 * missing. @throws Fault invalid "unable to find user x: no matching entries in passwd file"
 */
export function resolveUser(spec: string, groupAdd: readonly string[], passwd: string, group: string): ProcessUser {
  const users = parsePasswd(passwd);
  const groups = parseGroup(group);
  const colon = spec.indexOf(':');
  const userPart = colon < 0 ? spec : spec.slice(0, colon);
  const groupPart = colon < 0 ? '' : spec.slice(colon + 1);
  const wanted = userPart === '' ? '0' : userPart;
  const entry =
    users.find((user) => user.name === wanted) ??
    users.find((user) => /^\d+$/.test(wanted) && user.uid === Number(wanted));
  if (entry === undefined && !isId(wanted)) {
    throw new Fault('invalid', `unable to find user ${userPart}: no matching entries in passwd file`);
  }
  const uid = entry?.uid ?? Number(wanted);
  let gid = entry?.gid ?? 0;
  // The primary group, too: without it a program that changes its groups would lose what the group is denied (CVE-2022-36109).
  const additional = new Set<number>();
  if (groupPart !== '') {
    gid = groupId(groupPart, groups);
  } else if (entry !== undefined) {
    for (const candidate of groups) if (candidate.members.includes(entry.name)) additional.add(candidate.gid);
  }
  for (const name of groupAdd) additional.add(groupId(name, groups));
  return {
    uid,
    gid,
    additionalGids: [...additional.add(gid)].sort((a, b) => a - b),
    home: entry?.home || '/',
  };
}

function isId(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= 0x7fffffff;
}

function groupId(text: string, groups: readonly GroupEntry[]): number {
  const entry = groups.find((candidate) => candidate.name === text);
  if (entry !== undefined) return entry.gid;
  if (isId(text)) return Number(text);
  throw new Fault('invalid', `unable to find group ${text}: no matching entries in group file`);
}

function parsePasswd(text: string): PasswdEntry[] {
  return lines(text).flatMap(([name, , uid, gid, , home]) =>
    name === undefined || uid === undefined || !/^\d+$/.test(uid)
      ? []
      : [{ name, uid: Number(uid), gid: Number(gid ?? 0), home: home ?? '' }],
  );
}

function parseGroup(text: string): GroupEntry[] {
  return lines(text).flatMap(([name, , gid, members]) =>
    name === undefined || gid === undefined || !/^\d+$/.test(gid)
      ? []
      : [{ name, gid: Number(gid), members: (members ?? '').split(',').filter(Boolean) }],
  );
}

function lines(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}
