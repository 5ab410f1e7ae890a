/** Whether a user of an image is anybody here: root of a user namespace has only so many ids to give. */
import { isMapped, type Privileges, privileges } from '../linux/index.ts';
import { Fault } from '../std/index.ts';
import type { ProcessUser } from './user.ts';

/** The user without groups that are nobody here. @throws Fault invalid that says how to get more ids */
export function knownUser(user: ProcessUser, here: Pick<Privileges, 'uids' | 'gids'> = privileges()): ProcessUser {
  const { uids, gids } = here;
  if (!isMapped(uids, user.uid) || !isMapped(gids, user.gid)) {
    throw new Fault(
      'invalid',
      `Cannot run as ${user.uid}:${user.gid}: this rootless daemon has no such ids. Give its user some: apt-get install uidmap; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER; then start it anew`,
    );
  }
  return { ...user, additionalGids: user.additionalGids.filter((gid) => isMapped(gids, gid)) };
}
