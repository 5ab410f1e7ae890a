/** Containers against the disk: records, writable snapshots and folders against each other, and what the run root still has. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { foreignFile, type Problem, recordProblem, strayFile } from '../api/index.ts';
import { errorCode, shortId } from '../std/index.ts';
import { containerDirectory, type Context } from './context.ts';
import { imageMountNames } from './create.ts';
import { ensureInitLayer } from './init-layer.ts';
import type { ContainerRecord } from './record.ts';

const copyingMs = 60_000;

export async function* checkContainers(context: Context): AsyncGenerator<Problem, void, void> {
  const { records, live, snapshots, settings } = context;
  for (const fault of await records.check()) {
    yield recordProblem('container', fault, async (id) => {
      const record = records.get(id);
      if (record !== undefined) await records.put(id, record);
    });
  }
  for (const { record } of live.values()) yield* checkContainer(context, record);
  for (const id of snapshots.writables()) {
    if (snapshotNames(context).has(id)) continue;
    const path = snapshots.describe(id).data['UpperDir']!.replace(/\/fs$/, '');
    yield foreignFile(
      path,
      await snapshots.diskUsage(id),
      'files that were written by a container of which there is no record',
    );
  }
  for (const path of unknownIn(context, join(settings.dataRoot, 'containers')))
    yield foreignFile(path, sizeIn(path), 'the log of a container of which there is no record');
  for (const folder of ['containers', 'runs', 'exits']) {
    for (const path of unknownIn(context, join(settings.runRoot, folder)))
      yield strayFile(path, 0, 'left by a container of which there is no record');
  }
  for (const name of namesIn(join(settings.runRoot, 'roots'))) {
    const path = join(settings.runRoot, 'roots', name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    // A copy that goes on has mounted something there by then.
    if (stat !== undefined && Date.now() - stat.mtimeMs > copyingMs && readdirSync(path).length === 0)
      yield strayFile(path, 0, 'nothing is copied from or to it');
  }
}

async function* checkContainer(context: Context, record: ContainerRecord): AsyncGenerator<Problem, void, void> {
  const { snapshots } = context;
  const found = (problem: Problem['Problem'], detail: string, action: string): Problem => ({
    Kind: 'container',
    Name: record.name,
    Problem: problem,
    Detail: detail,
    Path: '',
    Size: 0,
    Action: action,
  });
  if (context.live.get(record.id)?.removing === true) return;
  if (!snapshots.exists(record.id)) {
    yield found('missing', 'its files are gone', `remove what is left of it: wherry rm ${record.name}`);
  } else if (snapshots.isDamaged(record.id)) {
    yield {
      ...found(
        'damaged',
        'the layer its files stand on is missing',
        `get its image again: wherry pull ${record.config.Image ?? ''}`,
      ),
      repair: async () => {
        snapshots.reparent(record.id, await ensureInitLayer(snapshots, record.chainId));
        return `its files stand on ${shortId(record.chainId ?? '')} again`;
      },
    };
  }
  if (lstatSync(containerDirectory(context, record.id), { throwIfNoEntry: false }) === undefined)
    yield found(
      'missing',
      'the folder with its log is gone',
      `make it anew: wherry rm ${record.name}, and create it again`,
    );
}

/** Names of the writable snapshots that containers have. */
export function snapshotNames(context: Context): Set<string> {
  const records = [...[...context.live.values()].map(({ record }) => record), ...context.creating.values()];
  const names = records.flatMap((record) => [record.id, ...imageMountNames(record)]);
  return new Set([...names, ...context.deleting]);
}

/** Files and folders named by the id of a container that there is not, and that is neither being made nor removed. */
function unknownIn({ live, creating, deleting }: Context, folder: string): string[] {
  return namesIn(folder)
    .filter((name) => {
      const id = name.replace(/\..*$/, '');
      return !live.has(id) && !creating.has(id) && !deleting.has(id);
    })
    .map((name) => join(folder, name));
}

/** None when there is no such folder. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function sizeIn(folder: string): number {
  return namesIn(folder).reduce(
    (sum, name) => sum + (lstatSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}
