/** `--device`, `--gpus`, `--ulimit`, `--device-read-bps` and the like. Parsers return a text when a value is wrong. */
import type { DeviceMapping, DeviceRequest, ThrottleDevice, Ulimit, WeightDevice } from '../../api/index.ts';
import { parseBytes } from '../../std/index.ts';
import { csvFields } from './csv.ts';

/** A device of the Container Device Interface: `vendor.com/class=name`. */
export function isCdiDevice(text: string): boolean {
  return /^[A-Za-z][\w.-]*\/[A-Za-z][\w-]*=[\w.:-]+$/.test(text);
}

export function parseDevice(text: string): DeviceMapping | string {
  const parts = text.split(':');
  const isMode = (mode: string): boolean => /^[rwm]{1,3}$/.test(mode) && new Set(mode).size === mode.length;
  const [host = '', second = '', third] = parts;
  if (parts.length > 3 || host === '') return `bad format for path: ${text}`;
  if (third !== undefined) {
    if (!isMode(third)) return `bad mode specified: ${third}`;
    return { PathOnHost: host, PathInContainer: second, CgroupPermissions: third };
  }
  if (parts.length === 2 && isMode(second))
    return { PathOnHost: host, PathInContainer: host, CgroupPermissions: second };
  return { PathOnHost: host, PathInContainer: parts.length === 2 ? second : host, CgroupPermissions: 'rwm' };
}

const ulimitNames = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' '),
);

export function parseUlimit(text: string): Ulimit | string {
  const equals = text.indexOf('=');
  if (equals < 0) return `invalid ulimit argument: ${text}`;
  const name = text.slice(0, equals);
  if (!ulimitNames.has(name)) return `invalid ulimit type: ${name}`;
  const limits = text.slice(equals + 1).split(':');
  if (limits.length > 2 || limits[0] === '')
    return `too many limit value arguments - ${limits.join(':')}, can only have up to two, \`soft[:hard]\``;
  const numbers = limits.map((limit) => (/^-?\d+$/.test(limit) ? Number(limit) : Number.NaN));
  const bad = limits.find((_, index) => Number.isNaN(numbers[index]));
  if (bad !== undefined) return `strconv.ParseInt: parsing "${bad}": invalid syntax`;
  const [soft = 0, hard = soft] = numbers;
  if (soft > hard && hard !== -1)
    return `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`;
  return { Name: name, Hard: hard, Soft: soft };
}

export function parseGpus(text: string): DeviceRequest | string {
  const request: Required<Pick<DeviceRequest, 'Driver' | 'Count'>> & {
    DeviceIDs: string[] | null;
    Capabilities: string[][];
    Options: Record<string, string>;
  } = {
    Driver: '',
    Count: 0,
    DeviceIDs: null,
    Capabilities: [],
    Options: {},
  };
  const capabilities: string[] = [];
  let counted = false;
  for (const field of csvFields(text)) {
    const equals = field.indexOf('=');
    const key = equals < 0 ? 'count' : field.slice(0, equals);
    const value = equals < 0 ? field : field.slice(equals + 1);
    if (key === 'driver') request.Driver = value;
    else if (key === 'count') {
      counted = true;
      if (value === 'all') request.Count = -1;
      else if (/^\d+$/.test(value)) request.Count = Number(value);
      else
        return `invalid count (${value}): value must be either "all" or an integer: strconv.Atoi: parsing "${value}": invalid syntax`;
    } else if (key === 'device') request.DeviceIDs = value.split(',');
    else if (key === 'capabilities') capabilities.push(...value.split(','));
    else if (key === 'options') {
      for (const option of csvFields(value)) {
        const split = option.indexOf('=');
        request.Options[split < 0 ? option : option.slice(0, split)] = split < 0 ? '' : option.slice(split + 1);
      }
    } else return `unexpected key '${key}' in '${field}'`;
  }
  if (!counted && request.DeviceIDs === null) request.Count = 1;
  request.Capabilities = [[...new Set([...capabilities, ...(capabilities.includes('gpu') ? [] : ['gpu'])])]];
  return request;
}

export function parseWeightDevice(text: string): WeightDevice | string {
  const [path = '', weight = '', extra] = text.split(':');
  if (weight === '' || extra !== undefined) return `bad format: ${text}`;
  if (!path.startsWith('/dev/')) return `bad format for device path: ${text}`;
  const number = Number(weight);
  if (!/^\d+$/.test(weight) || (number > 0 && (number < 10 || number > 1000)))
    return `invalid weight for device: ${text}`;
  return { Path: path, Weight: number };
}

/** @param unit 'bytes' takes "1mb", 'operations' a plain number. */
export function parseThrottle(text: string, unit: 'bytes' | 'operations'): ThrottleDevice | string {
  const [path = '', rate = '', extra] = text.split(':');
  if (rate === '' || extra !== undefined) return `bad format: ${text}`;
  if (!path.startsWith('/dev/')) return `bad format for device path: ${text}`;
  const form = '<device-path>:<number>';
  const number = unit === 'bytes' ? parseBytes(rate) : /^\d+$/.test(rate) ? Number(rate) : undefined;
  if (number === undefined) {
    return unit === 'bytes'
      ? `invalid rate for device: ${text}. The correct format is ${form}[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb`
      : `invalid rate for device: ${text}. The correct format is ${form}. Number must be a positive integer`;
  }
  return { Path: path, Rate: number };
}
