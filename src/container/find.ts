/** From what a person typed to the container meant: id, name, or unique id prefix, in Docker's order. */
import { Fault } from '../std/index.ts';
import type { Context, Live } from './context.ts';

/** @throws Fault not-found "No such container: x"; invalid when a prefix fits several */
export function find(context: Context, ref: string): Live {
  const exact = context.live.get(ref);
  if (exact !== undefined) return exact;
  const named = context.names.get(ref.replace(/^\//, ''));
  if (named !== undefined) {
    const live = context.live.get(named);
    if (live !== undefined) return live;
  }
  if (ref !== '' && /^[0-9a-f]+$/.test(ref)) {
    let match: Live | undefined;
    for (const [id, live] of context.live) {
      if (!id.startsWith(ref)) continue;
      if (match !== undefined) throw new Fault('invalid', `multiple IDs found with provided prefix: ${ref}`);
      match = live;
    }
    if (match !== undefined) return match;
  }
  throw new Fault('not-found', `No such container: ${ref}`);
}

export function isRunning(live: Live): boolean {
  return live.run !== undefined || live.restart !== undefined;
}

/** @throws Fault conflict "container <id> is not running" */
export function requireRun(live: Live): NonNullable<Live['run']> {
  if (live.run === undefined) {
    const why = live.restart === undefined ? 'is not running' : 'is restarting, wait until the container is running';
    throw new Fault('conflict', `${live.restart === undefined ? 'container' : 'Container'} ${live.record.id} ${why}`);
  }
  return live.run;
}
