/** Paths of a file, relative to its folder, made absolute: a table by path. */
import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { isMap, rewriteBelow, Rules, type Tree, type TreeMap } from '../tree.ts';

type Resolve = (value: Tree, folder: string) => Tree;

export function absolutePath(path: string, folder: string): string {
  if (path === '') return path;
  const expanded = path.startsWith('~') ? join(homedir(), path.slice(1)) : path;
  return isAbsolute(expanded) ? expanded : join(folder, expanded);
}

const path: Resolve = (value, folder) => (typeof value === 'string' ? absolutePath(value, folder) : value);

/** A daemon of Unix can be asked from Windows: a drive's path is absolute. */
const unixPath: Resolve = (value, folder) =>
  typeof value === 'string' && !/^(?:[a-z]:[\\/]|\\\\)/i.test(value) ? absolutePath(value, folder) : value;

const remotes = ['https://', 'http://', 'git://', 'ssh://', 'github.com/', 'git@'];

/** URLs, git repositories, images and other services' results are no paths. */
export function isRemoteContext(context: string): boolean {
  return context.includes('://') || context.startsWith('service:') || remotes.some((each) => context.startsWith(each));
}

const context: Resolve = (value, folder) =>
  typeof value === 'string' && !isRemoteContext(value) ? absolutePath(value, folder) : value;

/** Where the links lead: events tell of files by their own names. */
const watched: Resolve = (value, folder) => {
  if (typeof value !== 'string') return value;
  const absolute = absolutePath(value, folder);
  for (let at = absolute; ; at = dirname(at)) {
    try {
      return resolve(realpathSync(at), absolute.slice(at.length).replace(/^\/+/, ''));
    } catch {
      if (at === dirname(at)) return absolute;
    }
  }
};

const mount: Resolve = (value, folder) => {
  if (isMap(value) && value['type'] === 'bind' && value['source'] !== undefined)
    value['source'] = unixPath(value['source'], folder);
  return value;
};

/** A volume of the local driver that is a bind mount. */
const volume: Resolve = (value, folder) => {
  if (!isMap(value) || value['driver'] !== 'local') return value;
  const options = value['driver_opts'];
  if (isMap(options) && options['o'] === 'bind' && options['device'] !== undefined)
    options['device'] = unixPath(options['device'], folder);
  return value;
};

const rules: Rules<Resolve> = Rules.of<Resolve>({
  'services.*.build.context': context,
  'services.*.build.additional_contexts.*': context,
  'services.*.build.ssh.*': unixPath,
  'services.*.env_file.*.path': path,
  'services.*.label_file.*': path,
  'services.*.extends.file': path,
  'services.*.develop.watch.*.path': watched,
  'services.*.volumes.*': mount,
  'configs.*.file': unixPath,
  'secrets.*.file': unixPath,
  'volumes.*': volume,
});

/** The model is changed. */
export function resolvePaths(model: TreeMap, folder: string): void {
  rewriteBelow(model, rules, (value, rule) => rule(value, folder), []);
}
