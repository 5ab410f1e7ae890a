/** Why a container is not as its service is written: docker compose's rules (`mustRecreate`), with their reasons. */
import { label } from '../labels.ts';
import { imageNameOf } from '../names.ts';
import type { Container } from '../observe.ts';
import { serviceHash } from '../print/hash.ts';
import type { Project, Service } from '../project.ts';
import type { NetworkPlace } from './resources.ts';

export interface Wanted {
  project: Project;
  /** Image ids by name. */
  images: ReadonlyMap<string, string>;
  networks: readonly NetworkPlace[];
}

export interface Compared {
  service: Service;
  /** With references to other services' containers by id: what the hash is of. */
  resolved: Service;
  container: Container;
}

/** Undefined: it is as it should be. */
export function whyDiffers(wanted: Wanted, { service, resolved, container }: Compared): string | undefined {
  if (container.Labels[label.hash] !== serviceHash(resolved)) return 'its configuration changed';
  return (
    whyImage(wanted, service, container) ??
    whyNetworks(wanted, service, container) ??
    whyVolumes(wanted, service, container)
  );
}

function whyImage({ project, images }: Wanted, service: Service, container: Container): string | undefined {
  const id = images.get(imageNameOf(project, service));
  const before = container.Labels[label.image];
  return before === id ? undefined : `its image changed (${shortDigest(before)} → ${shortDigest(id)})`;
}

function whyNetworks({ networks }: Wanted, service: Service, container: Container): string | undefined {
  if (container.State !== 'running') return undefined;
  const attached = new Set(Object.values(container.NetworkSettings?.Networks ?? {}).map(({ NetworkID }) => NetworkID));
  for (const { key, network, presence } of networks) {
    if (!(key in (service.networks ?? {}))) continue;
    if (presence.state !== 'here' || !attached.has(presence.id)) return `it is not on network ${network.name}`;
  }
  return undefined;
}

function whyVolumes({ project }: Wanted, service: Service, container: Container): string | undefined {
  const mounted = new Set(container.Mounts.filter(({ Type }) => Type === 'volume').map(({ Name }) => Name));
  for (const { type, source } of service.volumes ?? []) {
    if (type !== 'volume' || source === undefined || source === '') continue;
    const name = project.volumes[source]?.name ?? source;
    if (!mounted.has(name)) return `volume ${name} is not mounted`;
  }
  return undefined;
}

function shortDigest(id: string | undefined): string {
  return id === undefined ? 'none' : id.replace(/^sha256:/, '').slice(0, 12);
}
