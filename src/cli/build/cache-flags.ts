/** `--cache-from` and `--cache-to` (docker/buildx, util/buildflags/cache.go). */
import { resolve } from 'node:path';
import { type Attributed, layoutDigest, storeName, tagInLayout } from '../../buildkit/index.ts';
import { Fault } from '../../std/index.ts';
import { flagFields } from './fields.ts';

/** Names alone are images in a registry. @throws Fault invalid */
export function parseCaches(values: readonly string[]): Attributed[] {
  return values.flatMap((value) => {
    const fields = flagFields(value);
    if (fields.every((field) => field.value === undefined)) {
      return fields.map(({ text }) => ({ type: 'registry', attributes: new Map([['ref', text]]) }));
    }
    const attributes = new Map<string, string>();
    for (const { text, key, value: given } of fields) {
      if (given === undefined) throw new Fault('invalid', `invalid value ${text}`);
      attributes.set(key, key === 'src' || key === 'dest' ? resolve(given) : given);
    }
    const type = attributes.get('type');
    if (type === undefined || type === '') {
      throw new Fault(
        'invalid',
        `type required form> ${JSON.stringify(value)}: write type=registry,ref=NAME, type=local,… or type=inline`,
      );
    }
    attributes.delete('type');
    return [{ type, attributes }];
  });
}

/** Folders that caches are read from and written to, by what the builder calls them. */
export function cacheStores(imports: readonly Attributed[], exports: readonly Attributed[]): Map<string, string> {
  const folders = [...localFolders(imports, 'src'), ...localFolders(exports, 'dest')];
  return new Map(folders.map(({ folder }) => [storeName(folder), folder]));
}

/** The same, each local one with the digest that its tag stands for; one that is not there yet is left out, and `missing` hears of it. */
export function withDigests(imports: readonly Attributed[], missing: (folder: string) => void): Attributed[] {
  return imports.flatMap((each) => {
    const [local] = localFolders([each], 'src');
    if (local === undefined || each.attributes.has('digest')) return [each];
    const digest = layoutDigest(local.folder, local.tag);
    if (digest === undefined) {
      missing(local.folder);
      return [];
    }
    return [{ ...each, attributes: new Map([...each.attributes, ['digest', digest]]) }];
  });
}

/** Names the caches that a build has written; `manifest` is what the builder answered, undefined where none was written. */
export function tagCaches(exports: readonly Attributed[], manifest: string | undefined): void {
  if (manifest === undefined) return;
  for (const { folder, tag } of localFolders(exports, 'dest')) tagInLayout(folder, tag, manifest);
}

/** @throws Fault invalid for one without a folder */
function localFolders(caches: readonly Attributed[], key: 'src' | 'dest'): { folder: string; tag: string }[] {
  return caches
    .filter(({ type }) => type === 'local')
    .map(({ attributes }) => {
      const folder = attributes.get(key);
      if (folder === undefined)
        throw new Fault('invalid', `local cache needs a folder: write type=local,${key}=FOLDER`);
      return { folder, tag: attributes.get('tag') ?? 'latest' };
    });
}
