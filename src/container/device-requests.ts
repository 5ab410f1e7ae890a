/**
 * `--device vendor.com/class=name`, `--gpus` and their like in the API (HostConfig.DeviceRequests): what a container gets for them.
 * GPUs are devices of the Container Device Interface of class "gpu"; where NVIDIA's older hook is installed and nothing describes
 * its devices, that is asked, as Docker does.
 */
import { accessSync, constants, type Stats, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { DeviceRequest, HostConfig } from '../api/index.ts';
import { type CdiDevices, type ContainerEdits, type DeviceNode, noEdits, parseDeviceName } from '../cdi/index.ts';
import { errorCode, Fault } from '../std/index.ts';
import { deviceNumbers } from './devices.ts';
import type { SpecDevice } from './spec.ts';

/** NVIDIA's names for parts of its driver; other words of a request are not for it. */
const driverParts = new Set(['compat32', 'compute', 'display', 'graphics', 'ngx', 'utility', 'video']);
const hookProgram = 'nvidia-container-runtime-hook';

/** @throws Fault invalid, internal with Docker's texts */
export async function requestedEdits(devices: CdiDevices, host: HostConfig): Promise<ContainerEdits> {
  const requests = host.DeviceRequests ?? [];
  if (requests.length === 0) return noEdits();
  const names: string[] = [];
  const others: ContainerEdits[] = [];
  for (const request of requests) {
    if (request.Driver === 'cdi') names.push(...namedDevices(request));
    else {
      const chosen = await gpus(devices, request);
      if (Array.isArray(chosen)) names.push(...chosen);
      else others.push(chosen);
    }
  }
  const { edits, unresolved } = await devices.edits([...new Set(names)]);
  if (unresolved.length > 0) {
    const { problems } = await devices.list();
    const why = problems.map(({ path, message }) => `; ${path}: ${message}`).join('');
    throw new Fault('invalid', `CDI device injection failed: unresolvable CDI devices ${unresolved.join(', ')}${why}`);
  }
  for (const other of others) {
    edits.env.push(...other.env);
    edits.hooks.push(...other.hooks);
  }
  return edits;
}

function namedDevices(request: DeviceRequest): string[] {
  if ((request.Count ?? 0) !== 0) throw new Fault('invalid', 'unexpected count in CDI device request');
  if (Object.keys(request.Options ?? {}).length > 0)
    throw new Fault('invalid', 'unexpected options in CDI device request');
  return request.DeviceIDs ?? [];
}

/** Names of devices, or what NVIDIA's hook is to be told. */
async function gpus(devices: CdiDevices, request: DeviceRequest): Promise<string[] | ContainerEdits> {
  const { Driver: driver = '', Count: count = 0 } = request;
  const ids = request.DeviceIDs ?? [];
  const wanted = request.Capabilities ?? [];
  const isMet = wanted.some((words) =>
    words.every((word) => word === 'gpu' || word === 'nvidia' || driverParts.has(word) || word.startsWith('cuda>=')),
  );
  if (!isMet || (driver !== '' && !/^(nvidia|amd|intel)(\.com)?$/.test(driver))) throw noDriver(request);
  if (count !== 0 && ids.length > 0)
    throw new Fault('invalid', 'cannot set both Count and DeviceIDs on device request');
  const { names } = await devices.list();
  const kind = gpuKind(names, driver.replace(/\.com$/, ''));
  if (kind === undefined) {
    const hook = ['', 'nvidia'].includes(driver) ? onPath(hookProgram) : undefined;
    if (hook === undefined) throw noDriver(request);
    return nvidiaHook(hook, request);
  }
  const own = names.filter((name) => name.startsWith(`${kind}=`));
  if (ids.length > 0) return ids.map((id) => (parseDeviceName(id) === undefined ? `${kind}=${id}` : id));
  if (count < 0 && own.includes(`${kind}=all`)) return [`${kind}=all`];
  const numbered = own.filter((name) => /=\d+$/.test(name)).sort((a, b) => numberOf(a) - numberOf(b));
  const each = numbered.length > 0 ? numbered : own.filter((name) => name !== `${kind}=all`);
  if (count > each.length)
    throw new Fault('invalid', `Cannot give ${count} GPUs to a container: this machine has ${each.length} of ${kind}`);
  return count < 0 ? each : each.slice(0, count);
}

/** Of several makers' on one machine NVIDIA's, as with Docker; else the first. */
function gpuKind(names: readonly string[], maker: string): string | undefined {
  const kinds = [...new Set(names.map((name) => name.slice(0, name.indexOf('='))))].filter(
    (kind) => kind.endsWith('/gpu') && kind.startsWith(maker === '' ? '' : `${maker}.com/`),
  );
  return kinds.find((kind) => kind === 'nvidia.com/gpu') ?? kinds[0];
}

function numberOf(name: string): number {
  return Number(name.slice(name.indexOf('=') + 1));
}

function noDriver(request: DeviceRequest): Fault {
  const capabilities = JSON.stringify(request.Capabilities ?? [])
    .replaceAll('"', '')
    .replaceAll(',', ' ');
  return new Fault(
    'internal',
    `could not select device driver "${request.Driver ?? ''}" with capabilities: ${capabilities}`,
  );
}

function nvidiaHook(path: string, request: DeviceRequest): ContainerEdits {
  const count = request.Count ?? 0;
  const ids = request.DeviceIDs ?? [];
  const visible =
    ids.length > 0 ? ids.join(',') : count < 0 ? 'all' : Array.from({ length: count }, (_, index) => index).join(',');
  const words = (request.Capabilities ?? []).flat();
  const parts = words.filter((word) => driverParts.has(word));
  const versions = words.filter((word) => word.startsWith('cuda>='));
  return {
    ...noEdits(),
    env: [
      `NVIDIA_VISIBLE_DEVICES=${visible}`,
      ...(parts.length === 0 ? [] : [`NVIDIA_DRIVER_CAPABILITIES=${parts.join(',')}`]),
      ...(versions.length === 0 ? [] : [`NVIDIA_REQUIRE_CUDA=${versions.join(' ')}`]),
    ],
    hooks: [
      {
        name: 'prestart',
        path,
        args: [hookProgram, 'prestart'],
        env: Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`),
        timeout: undefined,
      },
    ],
  };
}

function onPath(program: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
  return folders
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return statSync(path).isFile();
      } catch {
        return false;
      }
    });
}

/** A described node with what only the host's own tells. @throws Fault invalid when it is not there or another */
export function describedDevice(node: DeviceNode): SpecDevice {
  const { path, hostPath, permissions } = node;
  let { type, major, minor } = node;
  if (type === '' || ((major ?? 0) === 0 && type !== 'p')) {
    const stats = hostNode(hostPath);
    const actual = stats.isBlockDevice() ? 'b' : stats.isCharacterDevice() ? 'c' : stats.isFIFO() ? 'p' : '';
    if (actual === '')
      throw new Fault(
        'invalid',
        `CDI device injection failed: failed to inject devices: "${hostPath}" is not a device node`,
      );
    if (type !== '' && type.replace('u', 'c') !== actual)
      throw new Fault(
        'invalid',
        `CDI device injection failed: failed to inject devices: CDI device ("${path}", "${hostPath}"), host type mismatch (${type}, ${actual})`,
      );
    type = actual;
    if (actual !== 'p') ({ major, minor } = deviceNumbers(stats.rdev));
  }
  return {
    path,
    source: hostPath,
    type: type === 'u' ? 'c' : type,
    major: major ?? 0,
    minor: minor ?? 0,
    fileMode: node.fileMode ?? 0o666,
    uid: node.uid ?? 0,
    gid: node.gid ?? 0,
    access: permissions,
  };
}

function hostNode(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    throw new Fault(
      'invalid',
      `CDI device injection failed: failed to inject devices: failed to stat CDI host device ${JSON.stringify(path)}: ${errorCode(error) === 'ENOENT' ? 'no such file or directory' : String(errorCode(error))}`,
      { cause: error },
    );
  }
}
