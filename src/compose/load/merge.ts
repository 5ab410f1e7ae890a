/** What a later file says over what earlier ones said: a table by path (Compose specification, merge). */
import { emptyMap, isMap, mapOf, type Path, pathText, Rules, scalarText, type Tree, type TreeMap } from '../tree.ts';

type Merge = (base: Tree, over: Tree, path: Path, rules: Rules<Merge>) => Tree;

/** A file says something of another kind than the one before. */
export class CannotOverride extends Error {
  readonly path: Path;

  constructor(path: Path) {
    super(`cannot override ${pathText(path)}`);
    this.path = path;
  }
}

const replace: Merge = (_, over) => over;

/** Maps and lists of `key=value` alike become lists; of equal keys the last one counts, later. */
const toSequence: Merge = (base, over) => [...sequence(base), ...sequence(over)];

/** As before, but what is said twice is said once. */
const extraHosts: Merge = (base, over) => {
  const first = sequence(base);
  return [...first, ...sequence(over).filter((each) => !first.includes(each))];
};

const build: Merge = (base, over, path, rules) => mergeMaps(asBuild(base), asBuild(over), path, rules);

function asBuild(value: Tree): TreeMap {
  if (typeof value === 'string') return mapOf([['context', value]]);
  return isMap(value) ? value : emptyMap();
}

const dependsOn: Merge = (base, over, path, rules) => {
  const usual = (): TreeMap =>
    mapOf([
      ['condition', 'service_started'],
      ['required', true],
    ]);
  return mergeMaps(mapping(base, usual), mapping(over, usual), path, rules);
};

const keys: Merge = (base, over, path, rules) =>
  mergeMaps(
    mapping(base, () => null),
    mapping(over, () => null),
    path,
    rules,
  );

/** Options are those of a driver: with another one they are others. */
const logging: Merge = (base, over, path, rules) => {
  if (!isMap(base) || !isMap(over)) return over ?? base;
  const [before, after] = [base['driver'], over['driver']];
  const same = before === after || before === undefined || after === undefined;
  return same ? mergeMaps(base, over, path, rules) : over;
};

const ulimit: Merge = (_, over) => over;

/** Pools of the same subnet are the same pool. */
const ipamConfig: Merge = (base, over, path, rules) => {
  if (!Array.isArray(base) || !Array.isArray(over)) return over ?? base;
  const pools: Tree[] = [];
  const put = (pool: TreeMap): void => {
    const index = pools.findIndex((each) => isMap(each) && each['subnet'] === pool['subnet']);
    if (index >= 0) pools[index] = pool;
    else pools.push(pool);
  };
  for (const original of base) {
    for (const override of over) {
      const [right, left] = [mapping(original, () => null), mapping(override, () => null)];
      const known = pools.some((each) => isMap(each) && each['subnet'] === left['subnet']);
      if (left['subnet'] !== right['subnet'] && !known) pools.push(left);
      else put(mergeMaps(right, left, path, rules));
    }
  }
  return pools;
};

const rules: Rules<Merge> = Rules.of<Merge>({
  'networks.*.ipam.config': ipamConfig,
  'networks.*.labels': toSequence,
  'volumes.*.labels': toSequence,
  'services.*.annotations': toSequence,
  'services.*.build': build,
  'services.*.build.args': toSequence,
  'services.*.build.additional_contexts': toSequence,
  'services.*.build.extra_hosts': extraHosts,
  'services.*.build.labels': toSequence,
  'services.*.command': replace,
  'services.*.depends_on': dependsOn,
  'services.*.deploy.labels': toSequence,
  'services.*.dns': toSequence,
  'services.*.dns_opt': toSequence,
  'services.*.dns_search': toSequence,
  'services.*.entrypoint': replace,
  'services.*.env_file': toSequence,
  'services.*.label_file': toSequence,
  'services.*.environment': toSequence,
  'services.*.extra_hosts': extraHosts,
  'services.*.healthcheck.test': replace,
  'services.*.labels': toSequence,
  'services.*.volumes.*.volume.labels': toSequence,
  'services.*.logging': logging,
  'services.*.models': keys,
  'services.*.networks': keys,
  'services.*.sysctls': toSequence,
  'services.*.tmpfs': toSequence,
  'services.*.ulimits.*': ulimit,
});

/** `base` is changed. @throws CannotOverride */
export function mergeModels(base: TreeMap, over: TreeMap): TreeMap {
  return mergeMaps(base, over, [], rules);
}

/** A service over the one that it extends. @throws CannotOverride */
export function mergeService(base: TreeMap, over: TreeMap, name: string): TreeMap {
  return mergeMaps(base, over, ['services', name], rules.below('services')!.below(name)!);
}

function mergeMaps(base: TreeMap, over: TreeMap, path: Path, known: Rules<Merge>): TreeMap {
  for (const [key, value] of Object.entries(over)) {
    const before = base[key];
    base[key] = before === undefined ? value : merge(before, value, [...path, key], known.below(key));
  }
  return base;
}

const none: Rules<Merge> = Rules.of<Merge>({});

function merge(base: Tree, over: Tree, path: Path, known: Rules<Merge> = none): Tree {
  if (known.rule !== undefined) return known.rule(base, over, path, known);
  if (over === null) return base;
  if (isMap(base)) {
    if (!isMap(over)) throw new CannotOverride(path);
    return mergeMaps(base, over, path, known);
  }
  if (Array.isArray(base)) {
    if (!Array.isArray(over)) throw new CannotOverride(path);
    return [...base, ...over];
  }
  return over;
}

function sequence(value: Tree): Tree[] {
  if (Array.isArray(value)) return value;
  if (typeof value === 'string') return [value];
  if (!isMap(value)) return [];
  return Object.entries(value)
    .flatMap(([key, each]): string[] => {
      if (each === null) return [key];
      return (Array.isArray(each) ? each : [each]).map((item) => `${key}=${scalarText(item)}`);
    })
    .toSorted();
}

function mapping(value: Tree, usual: () => Tree): TreeMap {
  if (isMap(value)) return value;
  if (!Array.isArray(value)) return emptyMap();
  return mapOf(value.filter((each) => typeof each === 'string').map((each) => [each, usual()]));
}
