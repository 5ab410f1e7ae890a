/** Removes what processes that are no more left behind: containers, networks and volumes that carry an owner's label. */
import { ApiFault, type Engine } from '../sdk/index.ts';
import { currentOwner, lifeOf, ownerText, parseOwner } from './owner.ts';

export const ownerLabel = 'org.wherry.testing.owner';

/** For whatever else a test makes: `engine.run({ …, labels: owned() })` goes with the next sweep when the test's process has died. */
export function owned(): Record<string, string> {
  return { [ownerLabel]: ownerText(currentOwner()) };
}

/** What belongs to a process that cannot be looked at from here goes when it is a day old. */
const longestUnknownMs = 24 * 3600 * 1000;

/** @returns the names of what was removed */
export async function sweep(engine: Engine): Promise<string[]> {
  const removed: string[] = [];
  const filters = { label: [ownerLabel] };
  const isLeft = (labels: Readonly<Record<string, string>> | null | undefined, createdMs: number): boolean => {
    const owner = parseOwner(labels?.[ownerLabel]);
    if (owner === undefined) return false;
    const life = lifeOf(owner);
    return life === 'dead' || (life === 'unknown' && Date.now() - createdMs > longestUnknownMs);
  };
  for (const { Id, Names, Labels, Created } of await engine.containers.list({ all: true, filters })) {
    if (!isLeft(Labels, Created * 1000)) continue;
    if (await gone(engine.api.containers.remove(Id, { force: true, v: true }))) removed.push(Names[0]?.slice(1) ?? Id);
  }
  for (const { Id, Name, Labels, Created } of await engine.networks.list(filters)) {
    if (isLeft(Labels, Date.parse(Created)) && (await gone(engine.api.networks.remove(Id)))) removed.push(Name);
  }
  for (const { Name, Labels, CreatedAt } of await engine.volumes.list(filters)) {
    if (isLeft(Labels, Date.parse(CreatedAt)) && (await gone(engine.api.volumes.remove(Name, false))))
      removed.push(Name);
  }
  return removed;
}

/** Others sweep at the same time, and what is in use yet is for the next time. */
async function gone(removal: Promise<void>): Promise<boolean> {
  try {
    await removal;
    return true;
  } catch (error) {
    if (error instanceof ApiFault && (error.status === 404 || error.status === 409)) return false;
    throw error;
  }
}
