/** Build steps in user namespaces (`userns-remap`), as containers (user-namespace.ts): what a step gets is mounted through the mapping. */
import { dirname } from 'node:path';
import { hostId, type IdMapping, makeUserNamespace, withMounter } from '../linux/index.ts';
import type { Through } from '../snapshot/index.ts';
import { Fault } from '../std/index.ts';
import type { StepContext, StepRequest } from './step.ts';
import { admitGroup, rootOf } from './user-namespace.ts';

export interface StepNamespace {
  mapping: IdMapping;
  /** Path of the namespace to join. */
  path: string;
  /** A process in a network namespace that belongs to it. */
  networkOf: number;
  /** For overlays. */
  through: Through;
}

/** The step's; undefined where there is no mapping, or the step was allowed what the host has. Lasts as long as `loans`. */
export async function enterStepNamespace(
  { idMapping }: StepContext['settings'],
  { insecure, network }: Pick<StepRequest, 'insecure' | 'network'>,
  bundle: string,
  loans: AsyncDisposableStack,
): Promise<StepNamespace | undefined> {
  if (idMapping === undefined || insecure || network === 'host') return undefined;
  const own = loans.use(await makeUserNamespace(idMapping, { network: true }));
  const mounter = loans.use(await makeUserNamespace(withMounter(idMapping)));
  const { gid: group } = rootOf(idMapping);
  // The runtime mounts what is there as the step's root, who must come to it.
  for (const folder of [dirname(bundle), bundle]) admitGroup(folder, group);
  return {
    mapping: idMapping,
    path: `/proc/${own.pid}/ns/user`,
    networkOf: own.pid,
    through: { namespace: `/proc/${mounter.pid}/ns/user`, group },
  };
}

/** Who the step's owner is outside. @throws Fault invalid for an id that the step does not have */
export function outsideOwner(
  namespace: StepNamespace | undefined,
  owner: { uid: number; gid: number },
): { uid: number; gid: number } {
  if (namespace === undefined) return owner;
  const [uid, gid] = [hostId(namespace.mapping.uids, owner.uid), hostId(namespace.mapping.gids, owner.gid)];
  if (uid !== undefined && gid !== undefined) return { uid, gid };
  throw new Fault('invalid', `the step's user namespace has no owner ${owner.uid}:${owner.gid}`);
}
