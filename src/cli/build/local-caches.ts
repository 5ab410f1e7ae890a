/** Caches in folders of the user's (`type=local`): lent as stores of blobs, found and named by the index beside them (buildkit, client/solve.go). */
import { type Attributed, layoutDigest, storeName, tagInLayout } from '../../buildkit/index.ts';
import { Fault } from '../../std/index.ts';

export interface LocalCaches {
  /** Imports with the digest that their folder has; without those that are not there yet. */
  imports: readonly Attributed[];
  /** By what the builder calls them. */
  stores: ReadonlyMap<string, string>;
  /** Folders of imports in which there is no such cache. */
  missing: readonly string[];
}

/** @throws Fault invalid */
export function localCaches(imports: readonly Attributed[], exports: readonly Attributed[]): LocalCaches {
  const stores = new Map<string, string>();
  const missing: string[] = [];
  const lend = (folder: string): void => void stores.set(storeName(folder), folder);
  const found = imports.flatMap((each) => {
    if (each.type !== 'local') return [each];
    const folder = required(each, 'src');
    const digest = each.attributes.get('digest') ?? layoutDigest(folder, tagOf(each));
    if (digest === undefined) {
      missing.push(folder);
      return [];
    }
    lend(folder);
    return [{ type: 'local', attributes: new Map([...each.attributes, ['digest', digest]]) }];
  });
  for (const each of exports.filter(({ type }) => type === 'local')) lend(required(each, 'dest'));
  return { imports: found, stores, missing };
}

/** Names what a build exported, so that the next finds it. @throws Fault invalid */
export function tagExports(exports: readonly Attributed[], exported: ReadonlyMap<string, string>): void {
  const manifest = exported.get('cache.manifest');
  if (manifest === undefined) return;
  for (const each of exports.filter(({ type }) => type === 'local')) {
    tagInLayout(required(each, 'dest'), tagOf(each), manifest);
  }
}

/** Names the image that a build put into a folder (`tar=false`). @throws Fault invalid */
export function tagLayout(folder: string, exported: ReadonlyMap<string, string>): void {
  const descriptor = exported.get('containerimage.descriptor');
  if (descriptor === undefined) return;
  const names = (exported.get('image.name') ?? '').split(',').filter((name) => name !== '');
  const tags = names.length === 0 ? ['latest'] : names.map((name) => /:([^:/]+)$/.exec(name)?.[1] ?? 'latest');
  for (const tag of new Set(tags)) tagInLayout(folder, tag, Buffer.from(descriptor, 'base64').toString());
}

function tagOf({ attributes }: Attributed): string {
  return attributes.get('tag') ?? 'latest';
}

function required({ attributes }: Attributed, name: 'src' | 'dest'): string {
  const folder = attributes.get(name) ?? '';
  if (folder !== '') return folder;
  const flag = name === 'src' ? '--cache-from' : '--cache-to';
  throw new Fault(
    'invalid',
    `local cache ${name === 'src' ? 'importer' : 'exporter'} requires ${name}: ${flag} type=local,${name}=FOLDER`,
  );
}
