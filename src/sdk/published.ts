/** Where a container's ports are reached. Pure. */
import type { ContainerInspect, PortBinding } from '../api/index.ts';
import { Fault } from '../std/index.ts';
import type { Daemon } from './daemon.ts';

export interface PublishedAddress {
  host: string;
  port: number;
}

/** The port's key in the API: "80/tcp". */
export function portKey(port: number | string): string {
  return String(port).includes('/') ? String(port) : `${port}/tcp`;
}

/** @throws Fault invalid when it is not published */
export function publishedAt(
  info: ContainerInspect,
  port: number | string,
  daemon: Pick<Daemon, 'host' | 'isLocal'>,
): PublishedAddress {
  const key = portKey(port);
  const bindings = info.NetworkSettings.Ports?.[key] ?? [];
  const binding = bindings.find(({ HostIp = '' }) => !HostIp.includes(':')) ?? bindings[0];
  if (binding?.HostPort === undefined || binding.HostPort === '') {
    const name = info.Name.replace(/^\//, '');
    const why = info.State.Running ? `add it to ports: [${Number.parseInt(key, 10)}]` : 'it does not run';
    throw new Fault('invalid', `"${name}" publishes no port ${key}: ${why}`);
  }
  return { host: hostOf(binding, daemon), port: Number(binding.HostPort) };
}

/** An address of one interface is meant as it stands; all interfaces are reached where the daemon is. */
function hostOf({ HostIp = '' }: PortBinding, { host }: Pick<Daemon, 'host'>): string {
  return HostIp === '' || HostIp === '0.0.0.0' || HostIp === '::' ? host : HostIp;
}
