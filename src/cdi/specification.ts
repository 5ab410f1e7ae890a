/**
 * A vendor's file that says what a container needs for its devices: the CDI specification, versions 0.3.0 to 1.1.0
 * (github.com/cncf-tags/container-device-interface, SPEC.md). Unknown fields are passed over, so that a newer file still serves. Pure.
 */
import { Fault } from '../std/index.ts';
import { isKind, isName } from './names.ts';

export interface DeviceNode {
  /** In the container. */
  path: string;
  hostPath: string;
  /** "": that of the node on the host. */
  type: '' | 'b' | 'c' | 'u' | 'p';
  major: number | undefined;
  minor: number | undefined;
  fileMode: number | undefined;
  /** "rwm" */
  permissions: string;
  uid: number | undefined;
  gid: number | undefined;
}

export interface EditMount {
  hostPath: string;
  containerPath: string;
  type: string;
  options: string[];
}

export const hookNames = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const;

/** A program of the host that the runtime runs (runtime-spec, "POSIX-platform Hooks"). */
export interface Hook {
  name: (typeof hookNames)[number];
  path: string;
  args: string[];
  env: string[];
  /** Seconds. */
  timeout: number | undefined;
}

/** What is done to a container. */
export interface ContainerEdits {
  env: string[];
  deviceNodes: DeviceNode[];
  mounts: EditMount[];
  hooks: Hook[];
  additionalGids: number[];
  /** `linux.intelRdt` of the runtime's configuration, as it stands in the file. */
  intelRdt: Readonly<Record<string, unknown>> | undefined;
}

export interface Specification {
  kind: string;
  /** Once per container, whichever of its devices are asked for. */
  edits: ContainerEdits;
  devices: { name: string; edits: ContainerEdits }[];
}

const versions = new Set(['0.3.0', '0.4.0', '0.5.0', '0.6.0', '0.7.0', '0.8.0', '1.0.0', '1.1.0']);

/** @throws Fault invalid saying what is wrong, without the file's name */
export function readSpecification(document: unknown): Specification {
  const root = map(document, 'the specification');
  const version = text(root['cdiVersion'], 'cdiVersion').replace(/^v/, '');
  if (!versions.has(version)) throw new Fault('invalid', `invalid cdiVersion ${JSON.stringify(version)}`);
  const kind = text(root['kind'], 'kind');
  if (!isKind(kind)) throw new Fault('invalid', `invalid kind ${JSON.stringify(kind)}`);
  const devices = list(root['devices'], 'devices').map((item, index) => {
    const device = map(item, `devices[${index}]`);
    const name = text(device['name'], `devices[${index}].name`);
    if (!isName(name)) throw new Fault('invalid', `invalid device name ${JSON.stringify(name)}`);
    const edits = readEdits(device['containerEdits'], `${name}: containerEdits`);
    if (isEmpty(edits)) throw new Fault('invalid', `invalid device ${JSON.stringify(name)}, empty device edits`);
    return { name, edits };
  });
  if (devices.length === 0) throw new Fault('invalid', 'invalid spec, no devices');
  const twice = devices.find(({ name }, index) => devices.findIndex((other) => other.name === name) !== index);
  if (twice !== undefined) throw new Fault('invalid', `invalid spec, multiple device ${JSON.stringify(twice.name)}`);
  return { kind, edits: readEdits(root['containerEdits'], 'containerEdits'), devices };
}

export function noEdits(): ContainerEdits {
  return { env: [], deviceNodes: [], mounts: [], hooks: [], additionalGids: [], intelRdt: undefined };
}

/** What comes later comes on top. */
export function joinEdits(all: readonly ContainerEdits[]): ContainerEdits {
  const joined = noEdits();
  for (const edits of all) {
    joined.env.push(...edits.env);
    joined.deviceNodes.push(...edits.deviceNodes);
    joined.mounts.push(...edits.mounts);
    joined.hooks.push(...edits.hooks);
    joined.additionalGids.push(...edits.additionalGids);
    if (edits.intelRdt !== undefined) joined.intelRdt = edits.intelRdt;
  }
  return joined;
}

function isEmpty({ env, deviceNodes, mounts, hooks, additionalGids, intelRdt }: ContainerEdits): boolean {
  return (
    env.length + deviceNodes.length + mounts.length + hooks.length + additionalGids.length === 0 &&
    intelRdt === undefined
  );
}

function readEdits(value: unknown, where: string): ContainerEdits {
  const edits = map(value ?? {}, where);
  if (list(edits['netDevices'], `${where}.netDevices`).length > 0)
    throw new Fault('invalid', `${where}: netDevices cannot be given to containers here`);
  return {
    env: texts(edits['env'], `${where}.env`).map((entry) => {
      if (entry.indexOf('=') <= 0)
        throw new Fault('invalid', `${where}: invalid environment variable ${JSON.stringify(entry)}`);
      return entry;
    }),
    deviceNodes: list(edits['deviceNodes'], `${where}.deviceNodes`).map((item) => readNode(map(item, where), where)),
    mounts: list(edits['mounts'], `${where}.mounts`).map((item) => readMount(map(item, where), where)),
    hooks: list(edits['hooks'], `${where}.hooks`).map((item) => readHook(map(item, where), where)),
    additionalGids: list(edits['additionalGids'], `${where}.additionalGids`)
      .map((gid) => count(gid, `${where}.additionalGids`)!)
      .filter((gid) => gid !== 0),
    intelRdt: edits['intelRdt'] === undefined ? undefined : map(edits['intelRdt'], `${where}.intelRdt`),
  };
}

function readNode(node: Record<string, unknown>, where: string): DeviceNode {
  const path = absolute(node['path'], `${where}: path of a device node`);
  const type = text(node['type'] ?? '', `${where}: type of ${path}`);
  if (!['', 'b', 'c', 'u', 'p'].includes(type))
    throw new Fault('invalid', `${where}: device ${JSON.stringify(path)}: invalid type ${JSON.stringify(type)}`);
  const permissions = text(node['permissions'] ?? '', `${where}: permissions of ${path}`);
  if (!/^[rwm]*$/.test(permissions))
    throw new Fault(
      'invalid',
      `${where}: device ${JSON.stringify(path)}: invalid permissions ${JSON.stringify(permissions)}`,
    );
  return {
    path,
    hostPath: (node['hostPath'] ?? '') === '' ? path : absolute(node['hostPath'], `${where}: hostPath of ${path}`),
    type: type as DeviceNode['type'],
    major: count(node['major'], `${where}: major of ${path}`),
    minor: count(node['minor'], `${where}: minor of ${path}`),
    fileMode: count(node['fileMode'], `${where}: fileMode of ${path}`),
    permissions: permissions || 'rwm',
    uid: count(node['uid'], `${where}: uid of ${path}`),
    gid: count(node['gid'], `${where}: gid of ${path}`),
  };
}

function readMount(mount: Record<string, unknown>, where: string): EditMount {
  return {
    hostPath: text(mount['hostPath'], `${where}: hostPath of a mount`, true),
    containerPath: absolute(mount['containerPath'], `${where}: containerPath of a mount`),
    type: text(mount['type'] ?? '', `${where}: type of a mount`),
    options: texts(mount['options'], `${where}: options of a mount`),
  };
}

function readHook(hook: Record<string, unknown>, where: string): Hook {
  const name = text(hook['hookName'], `${where}: hookName`) as Hook['name'];
  if (!hookNames.includes(name)) throw new Fault('invalid', `${where}: invalid hook name ${JSON.stringify(name)}`);
  const path = absolute(hook['path'], `${where}: path of hook ${name}`);
  const args = texts(hook['args'], `${where}: args of hook ${name}`);
  return {
    name,
    path,
    args: args.length === 0 ? [path] : args,
    env: texts(hook['env'], `${where}: env of hook ${name}`),
    timeout: count(hook['timeout'], `${where}: timeout of hook ${name}`),
  };
}

function map(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Fault('invalid', `${what} is not a map`);
  return value as Record<string, unknown>;
}

function list(value: unknown, what: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Fault('invalid', `${what} is not a list`);
  return value;
}

function text(value: unknown, what: string, needed = false): string {
  if (typeof value !== 'string' || (needed && value === ''))
    throw new Fault('invalid', `${what} is missing or no text`);
  return value;
}

function texts(value: unknown, what: string): string[] {
  return list(value, what).map((item) => text(item, what));
}

function absolute(value: unknown, what: string): string {
  const path = text(value, what);
  if (!path.startsWith('/')) throw new Fault('invalid', `${what}: ${JSON.stringify(path)} is not an absolute path`);
  return path;
}

function count(value: unknown, what: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Fault('invalid', `${what} is not a number`);
  return value as number;
}
