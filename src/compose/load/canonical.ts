/** Short forms made long: a table by path (Compose specification, "short syntax"). */
import { parsePublish } from '../../api/index.ts';
import { Fault, messageOf } from '../../std/index.ts';
import {
  emptyMap,
  isMap,
  mapOf,
  type Path,
  pathText,
  rewriteBelow,
  Rules,
  scalarText,
  type Tree,
  type TreeMap,
} from '../tree.ts';
import { parseVolumeSpec } from './volume-spec.ts';

type Change = (value: Tree, path: Path, rules: Rules<Change>) => Tree;

const list: Change = (value) => (typeof value === 'string' ? [value] : value);
const text: Change = (value) => (typeof value === 'string' ? value : scalarText(value));

/** A word to a map, by one of its keys. */
const keyed =
  (key: string): Change =>
  (value, path, rules) =>
    typeof value === 'string' ? mapOf([[key, value]]) : below(value, path, rules);

const names: Change = (value) =>
  Array.isArray(value) ? mapOf(value.filter((each) => typeof each === 'string').map((each) => [each, null])) : value;

const pairs: Change = (value, path) => {
  if (!Array.isArray(value)) return value;
  return mapOf(
    value.map((each) => {
      const word = scalarText(each);
      const equals = word.indexOf('=');
      if (equals < 0) throw new Fault('invalid', `${pathText(path)}: invalid value ${word}, expected key=value`);
      return [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
};

const dependsOn: Change = (value) => {
  const full = (each: Tree): TreeMap =>
    mapOf(Object.entries({ condition: 'service_started', required: true, ...(isMap(each) ? each : {}) }));
  if (Array.isArray(value))
    return mapOf(value.filter((each) => typeof each === 'string').map((each) => [each, full(null)]));
  return isMap(value) ? mapOf(Object.entries(value).map(([key, each]) => [key, full(each)])) : value;
};

const envFile: Change = (value) =>
  (Array.isArray(value) ? value : [value]).map((each): Tree => {
    if (typeof each === 'string')
      return mapOf([
        ['path', each],
        ['required', true],
      ]);
    if (isMap(each)) each['required'] ??= true;
    return each;
  });

const gpus: Change = (value, path, rules) =>
  typeof value === 'string' ? [mapOf([['count', 'all']])] : below(value, path, rules);

const device: Change = (value) => {
  if (typeof value !== 'string') return value;
  const [source = '', target, permissions = 'rwm', more] = value.split(':');
  if (more !== undefined) throw new Fault('invalid', `confusing device mapping, please use long syntax: ${value}`);
  return mapOf([
    ['source', source],
    ['target', target === undefined || target === '' ? source : target],
    ['permissions', permissions],
  ]);
};

/** One word can be several ports. */
const ports: Change = (value) => {
  if (!Array.isArray(value)) return value;
  return value.flatMap((each): Tree[] => {
    if (isMap(each)) return [each];
    return parsePublish(scalarText(each))
      .toSorted((a, b) => (`${a.port}/${a.protocol}` < `${b.port}/${b.protocol}` ? -1 : 1))
      .map(({ ip, port, protocol, hostPort }) =>
        mapOf([
          ['mode', 'ingress'],
          ...(ip === '' ? [] : [['host_ip', ip] as const]),
          ['target', port],
          ...(hostPort === '' ? [] : [['published', hostPort] as const]),
          ['protocol', protocol],
        ]),
      );
  });
};

const volume: Change = (value) => {
  if (typeof value !== 'string') return value;
  const { target, ...rest } = parseVolumeSpec(value);
  return treeOf({ ...rest, target: cleanPath(target) });
};

const ssh: Change = (value) => {
  if (!Array.isArray(value)) return value;
  return mapOf(
    value.map((each) => {
      const word = scalarText(each);
      const equals = word.indexOf('=');
      if (equals < 0 && word !== 'default') throw new Fault('invalid', `invalid ssh key ${JSON.stringify(word)}`);
      return equals < 0 ? [word, null] : [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
};

/** `external: {name: x}` is how it was said once. */
const maybeExternal: Change = (value, path, rules) => {
  if (!isMap(value)) return value;
  below(value, path, rules);
  const { external, name } = value;
  if (!isMap(external)) return value;
  value['external'] = true;
  const known = external['name'];
  if (known === undefined) return value;
  if (name !== undefined && name !== known)
    throw new Fault('invalid', `${pathText(path)}: name and external.name conflict; only use name`);
  value['name'] = known;
  return value;
};

const rules: Rules<Change> = Rules.of<Change>({
  'services.*.build': keyed('context'),
  'services.*.build.secrets.*': keyed('source'),
  'services.*.build.provenance': text,
  'services.*.build.sbom': text,
  'services.*.build.additional_contexts': pairs,
  'services.*.build.ssh': ssh,
  'services.*.depends_on': dependsOn,
  'services.*.env_file': envFile,
  'services.*.label_file': list,
  'services.*.extends': keyed('service'),
  'services.*.gpus': gpus,
  'services.*.networks': names,
  'services.*.models': names,
  'services.*.volumes.*': volume,
  'services.*.dns': list,
  'services.*.devices.*': device,
  'services.*.secrets.*': keyed('source'),
  'services.*.configs.*': keyed('source'),
  'services.*.ports': ports,
  'services.*.develop.watch.*.ignore': list,
  'services.*.develop.watch.*.include': list,
  'volumes.*': maybeExternal,
  'networks.*': maybeExternal,
  'secrets.*': maybeExternal,
  'configs.*': maybeExternal,
  'include.*': keyed('path'),
});

/** The model is changed. @throws Misfit with the path of what cannot be understood */
export function canonical(model: TreeMap): void {
  rewriteBelow(model, rules, change, []);
}

/** A value that is none of what may stand there. */
export class Misfit extends Error {
  readonly path: Path;

  constructor(path: Path, message: string) {
    super(message);
    this.path = path;
  }
}

function change(value: Tree, rule: Change, path: Path): Tree {
  const node = path.reduce<Rules<Change> | undefined>((at, part) => at?.below(part), rules)!;
  try {
    return rule(value, path, node);
  } catch (error) {
    if (error instanceof Misfit) throw error;
    throw new Misfit(path, messageOf(error));
  }
}

function below(value: Tree, path: Path, node: Rules<Change>): Tree {
  return rewriteBelow(value, node, change, path);
}

function treeOf(value: unknown): Tree {
  if (typeof value !== 'object' || value === null) return value as Tree;
  const map = emptyMap();
  for (const [key, each] of Object.entries(value)) if (each !== undefined) map[key] = treeOf(each);
  return map;
}

/** Go's path.Clean, of an absolute path or not. */
export function cleanPath(path: string): string {
  if (path === '') return '';
  const rooted = path.startsWith('/');
  const out: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && out.length > 0 && out.at(-1) !== '..') out.pop();
    else if (part !== '..' || !rooted) out.push(part);
  }
  return `${rooted ? '/' : ''}${out.join('/')}` || '.';
}
