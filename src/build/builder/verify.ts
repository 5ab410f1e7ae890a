/** The build cache's part of `system verify`: its records, its folders, and the layers that only it has. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Problem, recordProblem, strayFile } from '../../api/index.ts';
import { diskUsage } from '../../linux/index.ts';
import { shortId } from '../../std/index.ts';
import { rootChain } from '../result/root.ts';
import type { BuilderContext } from './builder-context.ts';

/** Folders of the room, whoever of it fills them. */
const ownNames = new Set(['results', 'cache-mounts', 'contexts', 'exports', 'sources']);

/** Layers that images have, too, are theirs to verify. `quick` leaves contents unread. */
export async function* checkCache(
  context: BuilderContext,
  { quick }: { quick: boolean },
  signal: AbortSignal,
): AsyncGenerator<Problem, void, void> {
  const { results, cacheMounts } = context.solving;
  for (const fault of await results.check()) yield recordProblem('cache', fault, (id) => results.write(id));
  for (const fault of await cacheMounts.check()) yield recordProblem('cache', fault);
  for (const name of readdirSync(context.folder)) {
    const path = join(context.folder, name);
    if (ownNames.has(name) || lstatSync(path, { throwIfNoEntry: false }) === undefined) continue;
    yield strayFile(path, await diskUsage(path), 'it is no folder of the build cache');
  }
  if (!quick) yield* checkLayers(context, signal);
}

async function* checkLayers(
  { solving: { results }, snapshots, images }: BuilderContext,
  signal: AbortSignal,
): AsyncGenerator<Problem, void, void> {
  const theirs = new Set(images.holdings().flatMap(({ chain }) => chain));
  const seen = new Set<string>();
  for (const record of results.list()) {
    const chain = rootChain(record);
    if (chain === undefined || theirs.has(chain) || seen.has(chain) || !snapshots.has(chain)) continue;
    seen.add(chain);
    using hold = snapshots.hold();
    hold.add(chain);
    if (await snapshots.isWhole(chain, signal)) continue;
    yield {
      Kind: 'cache',
      Name: shortId(record.key),
      Problem: 'damaged',
      Detail: `the files of ${JSON.stringify(record.description)} are not what was built`,
      Path: '',
      Size: snapshots.layerSize(chain),
      Action: 'forget it, so that the step runs again: wherry system verify --repair',
      repair: async () => {
        await results.forget([record.key]);
        return 'forgotten: the step runs again when it is wanted';
      },
    };
  }
}
