/** Networks and volumes of a project: which are there, which are to be made, and which must be made anew. */
import { Fault } from '../../std/index.ts';
import { label } from '../labels.ts';
import type { Observed } from '../observe.ts';
import { networkHash, volumeHash } from '../print/hash.ts';
import type { Network, Project, Volume } from '../project.ts';

export type Presence =
  | { state: 'here'; id: string }
  | { state: 'missing' }
  /** Another configuration: it is removed and made again. */
  | { state: 'differs'; id: string };

export interface NetworkPlace {
  key: string;
  network: Network;
  presence: Presence;
}

export interface VolumePlace {
  key: string;
  volume: Volume;
  presence: Presence;
}

/** @throws Fault not-found, conflict for a name that another network has */
export function placeNetworks(project: Project, { networks }: Observed, warn: (text: string) => void): NetworkPlace[] {
  return Object.entries(project.networks).map(([key, network]) => {
    if (network.external === true)
      return { key, network, presence: { state: 'here', id: externalNetwork(network, networks) } };
    const found = networks.filter(({ Name }) => Name === network.name);
    const ours = found.find(({ Labels }) => Labels[label.project] === project.name && Labels[label.network] === key);
    const there = ours ?? found[0];
    if (there === undefined) return { key, network, presence: { state: 'missing' } };
    const owner = there.Labels[label.project];
    const use = 'Set `external: true` to use an existing network';
    if (owner === undefined) warn(`a network with name ${network.name} exists but was not created by compose.\n${use}`);
    else if (owner !== project.name)
      warn(`a network with name ${network.name} exists but was not created for project "${project.name}".\n${use}`);
    const marked = there.Labels[label.network] ?? '';
    if (marked !== key)
      throw new Fault(
        'conflict',
        `network ${network.name} was found but has incorrect label ${label.network} set to "${marked}" (expected: "${key}")`,
      );
    const hash = there.Labels[label.hash] ?? '';
    const isSame = hash === '' || hash === networkHash(network);
    return { key, network, presence: { state: isSame ? 'here' : 'differs', id: there.Id } };
  });
}

function externalNetwork({ name }: Network, networks: Observed['networks']): string {
  const named = networks.filter((each) => each.Name === name);
  const found = named.length > 0 ? named : networks.filter((each) => each.Id === name);
  if (found.length > 1)
    throw new Fault(
      'conflict',
      `multiple networks with name "${name}" were found. Use network ID as \`name\` to avoid ambiguity`,
    );
  if (found[0] === undefined)
    throw new Fault(
      'not-found',
      `network ${name} declared as external, but could not be found\nMake it with 'wherry network create ${name}'.`,
    );
  return found[0].Id;
}

/** @throws Fault not-found for an external one that is not there */
export function placeVolumes(project: Project, { volumes }: Observed, warn: (text: string) => void): VolumePlace[] {
  const byName = new Map(volumes.map((volume) => [volume.Name, volume]));
  return Object.entries(project.volumes).map(([key, volume]) => {
    const there = byName.get(volume.name);
    if (volume.external === true) {
      if (there === undefined)
        throw new Fault(
          'not-found',
          `external volume "${volume.name}" not found\nMake it with 'wherry volume create ${volume.name}'.`,
        );
      return { key, volume, presence: { state: 'here', id: volume.name } };
    }
    if (there === undefined) return { key, volume, presence: { state: 'missing' } };
    const owner = there.Labels?.[label.project];
    const use = 'Use `external: true` to use an existing volume';
    if (owner === undefined)
      warn(`volume "${volume.name}" already exists but was not created by Docker Compose. ${use}`);
    else if (owner !== project.name)
      warn(
        `volume "${volume.name}" already exists but was created for project "${owner}" (expected "${project.name}"). ${use}`,
      );
    const hash = there.Labels?.[label.hash];
    const isSame = hash === undefined || hash === volumeHash(volume);
    return { key, volume, presence: { state: isSame ? 'here' : 'differs', id: volume.name } };
  });
}
