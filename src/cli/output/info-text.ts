/** `info` as a person reads it, in Docker's words and order. */
import { bytesSize } from '../../std/index.ts';
import type { SystemInfo } from '../../api/index.ts';

export interface ClientInfo {
  Version: string;
  Context: string;
  Debug: boolean;
}

export function infoText(own: ClientInfo, info: SystemInfo | undefined): string {
  const lines = [
    'Client: Wherry',
    ` Version:    ${own.Version}`,
    ` Context:    ${own.Context}`,
    ` Debug Mode: ${own.Debug}`,
    '',
    'Server:',
  ];
  if (info !== undefined) lines.push(...serverLines(new Fields(info)));
  return `${lines.join('\n')}\n`;
}

/** The fields of info, read without trusting the daemon. */
class Fields {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  text(name: string): string {
    const value = this.#values[name];
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
  }

  is(name: string): boolean {
    return this.#values[name] === true;
  }

  number(name: string): number {
    return Number(this.#values[name] ?? 0);
  }

  list(name: string): string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.map(String) : [];
  }

  pairs(name: string): [string, string][] {
    const value = this.#values[name];
    return Array.isArray(value) ? (value as [string, string][]) : [];
  }

  inner(name: string): Fields {
    const value = this.#values[name];
    return new Fields(typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {});
  }

  inners(name: string): Fields[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.map((each) => new Fields((each ?? {}) as Record<string, unknown>)) : [];
  }

  keys(name: string): string[] {
    const value = this.#values[name];
    return typeof value === 'object' && value !== null ? Object.keys(value).sort() : [];
  }
}

function deviceLines(info: Fields): string[] {
  const folders = info.list('CDISpecDirs').map((folder) => `  ${folder}`);
  const devices = info.inners('DiscoveredDevices').map((device) => `  ${device.text('Source')}: ${device.text('ID')}`);
  return [
    ...(folders.length === 0 ? [] : [' CDI spec directories:', ...folders]),
    ...(devices.length === 0 ? [] : [' Discovered Devices:', ...devices]),
  ];
}

function serverLines(info: Fields): string[] {
  const plugins = info.inner('Plugins');
  const lines = [
    ` Containers: ${info.text('Containers')}`,
    `  Running: ${info.text('ContainersRunning')}`,
    `  Paused: ${info.text('ContainersPaused')}`,
    `  Stopped: ${info.text('ContainersStopped')}`,
    ` Images: ${info.text('Images')}`,
    ` Server Version: ${info.text('ServerVersion')}`,
    ` Storage Driver: ${info.text('Driver')}`,
    ...info.pairs('DriverStatus').map(([name, value]) => `  ${name}: ${value}`),
    ` Logging Driver: ${info.text('LoggingDriver')}`,
    ` Cgroup Driver: ${info.text('CgroupDriver')}`,
    ` Cgroup Version: ${info.text('CgroupVersion')}`,
    ' Plugins:',
    `  Volume: ${plugins.list('Volume').join(' ')}`,
    `  Network: ${plugins.list('Network').join(' ')}`,
    `  Log: ${plugins.list('Log').join(' ')}`,
    ...deviceLines(info),
    ` Swarm: ${info.inner('Swarm').text('LocalNodeState')}`,
    ` Runtimes: ${info.keys('Runtimes').join(' ')}`,
    ` Default Runtime: ${info.text('DefaultRuntime')}`,
    ` Init Binary: ${info.text('InitBinary')}`,
    ` containerd version: ${info.inner('ContainerdCommit').text('ID')}`,
    ` runc version: ${info.inner('RuncCommit').text('ID')}`,
    ` init version: ${info.inner('InitCommit').text('ID')}`,
    ...securityLines(info.list('SecurityOptions')),
    ` Kernel Version: ${info.text('KernelVersion')}`,
    ` Operating System: ${info.text('OperatingSystem')}`,
    ` OSType: ${info.text('OSType')}`,
    ` Architecture: ${info.text('Architecture')}`,
    ` CPUs: ${info.text('NCPU')}`,
    ` Total Memory: ${bytesSize(info.number('MemTotal'))}`,
    ` Name: ${info.text('Name')}`,
    ` ID: ${info.text('ID')}`,
    ` Docker Root Dir: ${info.text('DockerRootDir')}`,
    ` Debug Mode: ${info.is('Debug')}`,
  ];
  if (info.is('Debug')) {
    lines.push(
      `  File Descriptors: ${info.text('NFd')}`,
      `  Goroutines: ${info.text('NGoroutines')}`,
      `  System Time: ${info.text('SystemTime')}`,
      `  EventsListeners: ${info.text('NEventsListener')}`,
    );
  }
  for (const [title, name] of [
    ['HTTP Proxy', 'HttpProxy'],
    ['HTTPS Proxy', 'HttpsProxy'],
    ['No Proxy', 'NoProxy'],
  ] as const) {
    if (info.text(name) !== '') lines.push(` ${title}: ${info.text(name)}`);
  }
  if (info.list('Labels').length > 0) lines.push(' Labels:', ...info.list('Labels').map((label) => `  ${label}`));
  lines.push(` Experimental: ${info.is('ExperimentalBuild')}`);
  const registry = info.inner('RegistryConfig');
  const insecure = [
    ...registry
      .keys('IndexConfigs')
      .filter((name) => registry.inner('IndexConfigs').inner(name).text('Secure') === 'false'),
    ...registry.list('InsecureRegistryCIDRs'),
  ];
  if (insecure.length > 0) lines.push(' Insecure Registries:', ...insecure.map((each) => `  ${each}`));
  const mirrors = registry.list('Mirrors');
  if (mirrors.length > 0) lines.push(' Registry Mirrors:', ...mirrors.map((each) => `  ${each}`));
  lines.push(` Live Restore Enabled: ${info.is('LiveRestoreEnabled')}`);
  const product = info.text('ProductLicense');
  if (product !== '') lines.push(` Product License: ${product}`);
  lines.push('');
  return lines;
}

/** "name=seccomp,profile=builtin" to a name and what belongs to it. */
function securityLines(options: readonly string[]): string[] {
  if (options.length === 0) return [];
  const lines = [' Security Options:'];
  for (const option of options) {
    const fields = option.split(',').map((field) => field.split('='));
    lines.push(`  ${fields.find(([key]) => key === 'name')?.[1] ?? option}`);
    for (const [key = '', value = ''] of fields) {
      if (key !== 'name') lines.push(`   ${key[0]!.toUpperCase()}${key.slice(1)}: ${value}`);
    }
  }
  return lines;
}
