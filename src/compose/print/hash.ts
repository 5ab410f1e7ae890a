/**
 * What tells that a service, network or volume is as it was: docker compose's own hashes, so that both see each other's containers
 * as theirs. A SHA-256 over the JSON of what makes the container, which leaves out what does not.
 */
import { createHash } from 'node:crypto';
import type { Network, Service, Volume } from '../project.ts';
import { printFields } from '../shape/kinds.ts';
import { networkFields, serviceFields, volumeFields } from '../shape/shapes.ts';
import type { TreeMap } from '../tree.ts';
import { goJson } from './go-json.ts';

export function serviceHash(service: Service): string {
  const {
    build: _build,
    pull_policy: _pull,
    scale: _scale,
    depends_on: _dependencies,
    profiles: _profiles,
    deploy,
    ...rest
  } = service;
  const { replicas: _replicas, ...counted } = deploy ?? { resources: {}, placement: {} };
  const hashed = deploy === undefined ? rest : { ...rest, deploy: counted };
  return sha256(printFields(hashed, serviceFields, 'json'));
}

export function networkHash(network: Network): string {
  return sha256(printFields({ ...network }, networkFields, 'json'));
}

export function volumeHash(volume: Volume): string {
  return sha256(printFields({ ...volume, driver: volume.driver ?? 'local' }, volumeFields, 'json'));
}

function sha256(tree: TreeMap): string {
  return createHash('sha256').update(goJson(tree)).digest('hex');
}
