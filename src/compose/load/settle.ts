/** What a model leaves out and Compose adds: defaults, names, the default network, dependencies that are implied. */
import { isMap, mapOf, rewriteBelow, Rules, scalarText, type Tree, type TreeMap } from '../tree.ts';
import { cleanPath } from './canonical.ts';
import type { Lookup } from './template.ts';

type Default = (value: TreeMap) => void;

const device: Default = (value) => {
  if (value['count'] === undefined && value['device_ids'] === undefined) value['count'] = 'all';
};

const defaults: Rules<Default> = Rules.of<Default>({
  'services.*.build': (value) => {
    value['context'] ??= '.';
  },
  'services.*.secrets.*': (value) => {
    value['target'] ??= `/run/secrets/${scalarText(value['source'] ?? null)}`;
  },
  'services.*.ports.*': (value) => {
    value['protocol'] ??= 'tcp';
    value['mode'] ??= 'ingress';
  },
  'services.*.deploy.resources.reservations.devices.*': device,
  'services.*.gpus.*': device,
});

/** The model is changed. */
export function setDefaults(model: TreeMap): void {
  const set = (value: Tree, rule: Default): Tree => {
    if (isMap(value)) rule(value);
    return value;
  };
  rewriteBelow(model, defaults, set, []);
}

/** Variables that are named without a value get the environment's; secrets and configs of a variable, its value. The model is changed. */
export function resolveEnvironment(model: TreeMap, lookup: Lookup): void {
  for (const service of mapsIn(model['services'])) {
    const environment = service['environment'];
    if (!Array.isArray(environment)) continue;
    service['environment'] = environment.map((each) => {
      const value = typeof each === 'string' && !each.includes('=') ? lookup(each) : undefined;
      return value === undefined ? each : `${scalarText(each)}=${value}`;
    });
  }
  for (const object of [...mapsIn(model['secrets']), ...mapsIn(model['configs'])]) {
    const variable = object['environment'];
    const value = typeof variable === 'string' ? lookup(variable) : undefined;
    if (value !== undefined) object['content'] = value;
  }
}

/** The whole project's model, after all its files. The model is changed. */
export function normalise(model: TreeMap, project: string, lookup: Lookup): void {
  addDefaultNetwork(model);
  for (const service of mapsIn(model['services'])) {
    if (service['pull_policy'] === 'if_not_present') service['pull_policy'] = 'missing';
    settleBuild(service['build'], lookup);
    if (service['environment'] !== undefined) service['environment'] = withValues(service['environment'], lookup, true);
    for (const volume of mapsIn(service['volumes']))
      if (typeof volume['target'] === 'string') volume['target'] = cleanPath(volume['target']);
    const dependencies = implied(service);
    if (Object.keys(dependencies).length > 0) service['depends_on'] = dependencies;
  }
  for (const kind of ['networks', 'volumes', 'configs', 'secrets']) nameAll(model[kind], project);
}

function settleBuild(build: Tree | undefined, lookup: Lookup): void {
  if (!isMap(build)) return;
  build['context'] ??= '.';
  if (build['dockerfile'] === undefined && build['dockerfile_inline'] === undefined) build['dockerfile'] = 'Dockerfile';
  if (build['args'] !== undefined) build['args'] = withValues(build['args'], lookup, false);
}

/** Services without networks are on one of their own, where any is. */
function addDefaultNetwork(model: TreeMap): void {
  const networks = isMap(model['networks']) ? model['networks'] : mapOf([]);
  let used = false;
  for (const service of mapsIn(model['services'])) {
    if (service['provider'] !== undefined || service['network_mode'] !== undefined) continue;
    const own = service['networks'];
    if (!isMap(own) || Object.keys(own).length === 0) service['networks'] = mapOf([['default', null]]);
    if (isMap(service['networks']) && 'default' in service['networks']) used = true;
  }
  if (used && !('default' in networks)) networks['default'] = null;
  if (Object.keys(networks).length > 0) model['networks'] = networks;
}

/** A map or list of variables, those without a value looked up. */
function withValues(value: Tree, lookup: Lookup, keepUnset: boolean): Tree {
  if (Array.isArray(value)) {
    return value.flatMap((each): Tree[] => {
      if (typeof each !== 'string' || each.includes('=')) return [each];
      const found = lookup(each);
      if (found !== undefined) return [`${each}=${found}`];
      return keepUnset ? [each] : [];
    });
  }
  if (!isMap(value)) return value;
  return mapOf(
    Object.entries(value).flatMap(([key, each]): [string, Tree][] => {
      if (each !== null) return [[key, each]];
      const found = lookup(key);
      if (found !== undefined) return [[key, found]];
      return keepUnset ? [[key, null]] : [];
    }),
  );
}

const namespaces = ['network_mode', 'ipc', 'pid', 'uts', 'cgroup'];

/** What a service shares with another one it depends on, too. */
function implied(service: TreeMap): TreeMap {
  const dependencies = isMap(service['depends_on']) ? service['depends_on'] : mapOf([]);
  const add = (name: string, restart: boolean): void => {
    dependencies[name] ??= mapOf([
      ['condition', 'service_started'],
      ['restart', restart],
      ['required', true],
    ]);
  };
  for (const link of textsIn(service['links'])) {
    const parts = link.split(':');
    add(parts.length === 2 ? parts[0]! : link, true);
  }
  for (const namespace of namespaces) {
    const value = service[namespace];
    if (typeof value === 'string' && value.startsWith('service:')) add(value.slice('service:'.length), true);
  }
  for (const from of textsIn(service['volumes_from']))
    if (!from.startsWith('container:')) add(from.split(':')[0]!, false);
  return dependencies;
}

function nameAll(resources: Tree | undefined, project: string): void {
  if (!isMap(resources)) return;
  for (const [key, value] of Object.entries(resources)) {
    const resource = isMap(value) ? value : mapOf([]);
    resource['name'] ??= resource['external'] === true ? key : `${project}_${key}`;
    resources[key] = resource;
  }
}

export function mapsIn(value: Tree | undefined): TreeMap[] {
  if (Array.isArray(value)) return value.filter(isMap);
  return isMap(value) ? Object.values(value).filter(isMap) : [];
}

function textsIn(value: Tree | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
