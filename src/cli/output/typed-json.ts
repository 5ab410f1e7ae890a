/**
 * The daemon's JSON as Docker's Go types would hold it: which objects are maps, what kind of nothing a null is, which fields
 * are there although JSON leaves them out. Templates see the difference.
 */
import { Nil } from '../template/index.ts';

/** Fields whose objects are maps. */
const maps = new Set([
  'Labels',
  'Options',
  'Volumes',
  'ExposedPorts',
  'Ports',
  'Networks',
  'PortBindings',
  'Sysctls',
  'Tmpfs',
  'StorageOpt',
  'Annotations',
  'DriverOpts',
  'Containers',
  'AuxiliaryAddresses',
  'Data',
  'Attributes',
  'Runtimes',
  'Details',
  'IndexConfigs',
]);
/** Fields that are pointers in Go: null prints as <nil>. */
const pointers = new Set([
  'MemorySwappiness',
  'OomKillDisable',
  'PidsLimit',
  'Init',
  'StopTimeout',
  'Healthcheck',
  'IPAMConfig',
  'Health',
  'UsageData',
  'SizeRw',
  'SizeRootFs',
  'BindOptions',
  'VolumeOptions',
  'TmpfsOptions',
  'ImageOptions',
]);

export function typedJson(text: string): unknown {
  return typed('', JSON.parse(text));
}

export function typed(key: string, value: unknown): unknown {
  // The options of a log driver are a map, those of an image an object of their own.
  const isMap = maps.has(key);
  if (value === null) return new Nil(isMap ? 'map' : pointers.has(key) ? 'pointer' : 'slice');
  if (Array.isArray(value)) return value.map((each) => typed('', each));
  if (typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([name, each]) => [name, typed(isMap ? '' : name, each)] as const);
  if (isMap || (key === 'Config' && entries.every(([, each]) => typeof each === 'string'))) return new Map(entries);
  const object: Record<string, unknown> = Object.fromEntries(entries);
  if (Object.hasOwn(object, 'Running') && Object.hasOwn(object, 'Pid'))
    addAbsent(object, { Health: new Nil('pointer') });
  if (Object.hasOwn(object, 'HostConfig'))
    addAbsent(object, { SizeRw: new Nil('pointer'), SizeRootFs: new Nil('pointer') });
  if (Object.hasOwn(object, 'Entrypoint') && Object.hasOwn(object, 'Cmd')) addAbsent(object, absentConfig);
  if (Object.hasOwn(object, 'Architecture') && Object.hasOwn(object, 'RepoTags'))
    addAbsent(object, { Variant: '', OsVersion: '' });
  if (Object.hasOwn(object, 'NetworkMode') && Object.hasOwn(object, 'Binds')) addAbsent(object, absentHostConfig);
  return object;
}

const absentHostConfig = {
  Init: new Nil('pointer'),
  Annotations: new Nil('map'),
  Mounts: new Nil('slice'),
  StorageOpt: new Nil('map'),
  Sysctls: new Nil('map'),
  Tmpfs: new Nil('map'),
  Runtime: '',
};

const absentConfig = {
  ExposedPorts: new Nil('map'),
  Healthcheck: new Nil('pointer'),
  StopSignal: '',
  StopTimeout: new Nil('pointer'),
  MacAddress: '',
  Shell: new Nil('slice'),
  ArgsEscaped: false,
  NetworkDisabled: false,
};

/** Readable, but not printed by `json`: they are absent there. */
function addAbsent(object: Record<string, unknown>, fields: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (!Object.hasOwn(object, name)) Object.defineProperty(object, name, { value, enumerable: false });
  }
}
