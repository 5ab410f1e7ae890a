/** What the schema cannot say of a model: attributes that exclude each other, addresses that are none. */
import { isIP } from 'node:net';
import { isMap, type Path, pathText, rewriteBelow, Rules, scalarText, type Tree, type TreeMap } from '../tree.ts';
import { Misfit } from './canonical.ts';

type Check = (value: Tree, path: Path) => string | undefined;

const oneOf =
  (...keys: string[]): Check =>
  (value, path) => {
    if (!isMap(value)) return undefined;
    const given = keys.filter((key) => key in value).length;
    const words = keys.join('|');
    if (given > 1) return `${pathText(path)}: ${words} attributes are mutually exclusive`;
    if (given === 1 || 'driver' in value || 'external' in value) return undefined;
    return `${pathText(path)}: one of ${words} must be set`;
  };

const volume: Check = (value, path) => {
  if (!isMap(value) || value['external'] !== true) return undefined;
  const more = Object.keys(value).find((key) => key !== 'name' && key !== 'external' && !key.startsWith('x-'));
  return more === undefined
    ? undefined
    : `${pathText(path)}: conflicting parameters "external" and ${JSON.stringify(more)} specified`;
};

const address: Check = (value, path) => {
  const ip = isMap(value) ? value['host_ip'] : undefined;
  if (ip === undefined || isIP(scalarText(ip)) !== 0) return undefined;
  return `${pathText(path)}: invalid ip address: ${scalarText(ip)}`;
};

const device: Check = (value, path) =>
  isMap(value) && 'count' in value && 'device_ids' in value
    ? `${pathText(path)}: "count" and "device_ids" attributes are exclusive`
    : undefined;

const checks: Rules<Check> = Rules.of<Check>({
  'volumes.*': volume,
  'configs.*': oneOf('file', 'environment', 'content'),
  'secrets.*': oneOf('file', 'environment'),
  'services.*.ports.*': address,
  'services.*.develop.watch.*.path': (value, path) =>
    value === '' ? `${pathText(path)}: value can't be blank` : undefined,
  'services.*.deploy.resources.reservations.devices.*': device,
  'services.*.gpus.*': device,
});

/** @throws Misfit */
export function checkModel(model: TreeMap): void {
  const check = (value: Tree, rule: Check, path: Path): Tree => {
    const problem = rule(value, path);
    if (problem !== undefined) throw new Misfit(path, problem);
    return value;
  };
  rewriteBelow(model, checks, check, []);
}
