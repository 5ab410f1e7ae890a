/** Elements of lists that say the same thing again: the later one counts, at the earlier one's place. */
import { isMap, Rules, scalarText, type Tree, type TreeMap } from '../tree.ts';
import { parseVolumeSpec } from './volume-spec.ts';

/** What an element is about; undefined where that cannot be told, and it stays. */
type Key = (value: Tree) => string | undefined;

const beforeEquals: Key = (value) => (typeof value === 'string' ? value.split('=', 1)[0] : undefined);
const itself: Key = (value) => (typeof value === 'object' ? undefined : scalarText(value));

const target: Key = (value) => {
  if (typeof value === 'string') return parseVolumeSpec(value).target;
  return isMap(value) && typeof value['target'] === 'string' ? value['target'] : undefined;
};

const device: Key = (value) => {
  if (typeof value === 'string') return value.split(':')[1] ?? value;
  return isMap(value) && typeof value['target'] === 'string' ? value['target'] : undefined;
};

const mountIn =
  (folder: string): Key =>
  (value) => {
    if (typeof value === 'string') return `${folder}/${value}`;
    if (!isMap(value)) return undefined;
    return typeof value['target'] === 'string' ? value['target'] : `${folder}/${scalarText(value['source'] ?? null)}`;
  };

const port: Key = (value) => {
  if (!isMap(value)) return typeof value === 'object' ? undefined : scalarText(value);
  if (value['target'] === undefined) return undefined;
  const word = (key: string, usual: string): string => (value[key] === undefined ? usual : scalarText(value[key]));
  return `${word('host_ip', '0.0.0.0')}:${word('published', '')}:${scalarText(value['target'])}/${word('protocol', 'tcp')}`;
};

const path: Key = (value) => {
  if (typeof value === 'string') return value;
  return isMap(value) && typeof value['path'] === 'string' ? value['path'] : undefined;
};

const service = (name: string): string => `services.*.${name}`;
const lists: Rules<Key> = Rules.of<Key>({
  ...Object.fromEntries(
    [
      'networks.*.labels',
      'networks.*.ipam.options',
      ...[
        'annotations',
        'build.args',
        'build.additional_contexts',
        'build.platform',
        'build.tags',
        'build.labels',
        'cap_add',
        'cap_drop',
        'deploy.labels',
        'dns',
        'dns_opt',
        'dns_search',
        'environment',
        'labels',
        'links',
        'networks.*.aliases',
        'networks.*.link_local_ips',
        'profiles',
        'sysctls',
        'tmpfs',
      ].map(service),
    ].map((each) => [each, beforeEquals]),
  ),
  'services.*.configs': mountIn(''),
  'services.*.secrets': mountIn('/run/secrets'),
  'services.*.devices': device,
  'services.*.env_file': path,
  'services.*.expose': itself,
  'services.*.ports': port,
  'services.*.volumes': target,
});

/** The model is changed. */
export function enforceUnique(model: TreeMap): void {
  walk(model, lists);
}

function walk(value: Tree, rules: Rules<Key> | undefined): void {
  if (rules === undefined || !isMap(value)) return;
  for (const [key, each] of Object.entries(value)) {
    const below = rules.below(key);
    if (Array.isArray(each) && below?.rule !== undefined) value[key] = unique(each, below.rule);
    else walk(each, below);
  }
}

function unique(list: readonly Tree[], keyOf: Key): Tree[] {
  const out: Tree[] = [];
  const places = new Map<string, number>();
  for (const each of list) {
    const key = keyOf(each);
    const place = key === undefined ? undefined : places.get(key);
    if (place !== undefined) out[place] = each;
    else {
      if (key !== undefined) places.set(key, out.length);
      out.push(each);
    }
  }
  return out;
}
