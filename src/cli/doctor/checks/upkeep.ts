/** What should be looked at from time to time. */
import { type Check, fail, type Finding, ok, type Patient, skip, warn } from '../check.ts';

export const upkeepChecks: readonly Check[] = [{ id: 'verify', title: 'Last look at the store', run: verified }];

const dayMs = 86_400_000;
const oftenDays = 30;

function verified({ host, engine }: Patient): Finding {
  const store = host.stat(`${engine.dataRoot}/engine-id`);
  if (store === undefined) return skip(host.uid === 0 ? 'there is no store yet' : 'not to be seen by ordinary users');
  const text = host.read(`${engine.dataRoot}/last-verify.json`);
  const last = text === undefined ? undefined : parse(text);
  if (last === undefined) {
    const age = Math.floor((host.now - store.modifiedMs) / dayMs);
    return age < oftenDays ? ok('not yet; the store is new') : warn(`never, in ${age} days`, 'wherry system verify');
  }
  const days = Math.max(0, Math.floor((host.now - last.at) / dayMs));
  const ago = days === 0 ? 'today' : days === 1 ? 'yesterday' : `${days} days ago`;
  if (last.problems > 0)
    return fail(
      `${ago}, with ${last.problems} ${last.problems === 1 ? 'problem' : 'problems'} left`,
      'wherry system verify --repair',
    );
  return days < oftenDays ? ok(`${ago}, all was well`) : warn(ago, 'wherry system verify');
}

function parse(text: string): { at: number; problems: number } | undefined {
  try {
    const { at, problems } = JSON.parse(text) as { at: string; problems: number };
    const time = Date.parse(at);
    return Number.isNaN(time) || typeof problems !== 'number' ? undefined : { at: time, problems };
  } catch {
    return undefined;
  }
}
