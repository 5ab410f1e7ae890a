/** Manifests and indexes of a repository (distribution-spec "Pulling manifests"), checked against every digest that is known. */
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  Digester,
  isDigest,
  manifestLimit,
  mediaTypes,
  type Reference,
  sha256,
} from '../oci/index.ts';
import { Fault } from '../std/index.ts';
import { registryFault } from './fault.ts';
import type { Session } from './session.ts';

export interface Resolved {
  descriptor: Descriptor;
  bytes: Buffer;
}

const accepted = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
  mediaTypes.dockerManifest1,
  'application/json',
].join(', ');

/** What a tag or digest names. @throws RegistryFault; Fault invalid when it is not what its digest says, or too large */
export async function getManifest(session: Session, reference: Reference, signal: AbortSignal): Promise<Resolved> {
  const name = reference.digest ?? reference.tag ?? 'latest';
  const url = session.url(`/v2/${reference.path}/manifests/${name}`);
  const scope = `repository:${reference.path}:pull`;
  const response = await session.send({ method: 'GET', url, headers: { accept: accepted }, scope, signal });
  if (response.status !== 200) throw await registryFault(response, 'MANIFEST_UNKNOWN');
  const tooLarge = new Fault('invalid', `Cannot pull: the manifest has more than ${manifestLimit} bytes`);
  if (Number(response.headers['content-length'] ?? 0) > manifestLimit) {
    await response.discard();
    throw tooLarge;
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.length;
    if (size > manifestLimit) throw tooLarge;
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks, size);
  const digest = verifiedDigest(bytes, reference, response.headers['docker-content-digest']);
  return { descriptor: { mediaType: mediaTypeOf(response.headers), digest, size }, bytes };
}

/**
 * What a tag or digest names, by a HEAD: no manifest is counted as pulled. undefined when the registry does not say, and has to be
 * asked for the manifest itself. @throws RegistryFault
 */
export async function describeManifest(
  session: Session,
  reference: Reference,
  signal: AbortSignal,
): Promise<Descriptor | undefined> {
  const name = reference.digest ?? reference.tag ?? 'latest';
  const url = session.url(`/v2/${reference.path}/manifests/${name}`);
  const scope = `repository:${reference.path}:pull`;
  const response = await session.send({ method: 'HEAD', url, headers: { accept: accepted }, scope, signal });
  if (response.status === 405) {
    await response.discard();
    return undefined;
  }
  if (response.status !== 200) throw await registryFault(response, 'MANIFEST_UNKNOWN');
  await response.discard();
  const said = response.headers['docker-content-digest'] ?? '';
  const digest = reference.digest ?? (isDigest(said) ? said : undefined);
  const size = response.headers['content-length'] ?? '';
  const mediaType = mediaTypeOf(response.headers);
  if (digest === undefined || !/^\d{1,9}$/.test(size) || mediaType === '') return undefined;
  return { mediaType, digest, size: Number(size) };
}

function mediaTypeOf(headers: Readonly<Record<string, string>>): string {
  return (headers['content-type'] ?? '').split(';')[0]!.trim();
}

/** @param said what the registry calls it, which with a tag must be right */
function verifiedDigest(bytes: Buffer, reference: Reference, said: string | undefined): Digest {
  const wanted = reference.digest ?? (said !== undefined && isDigest(said) ? said : undefined);
  if (wanted !== undefined) {
    const digester = new Digester(digestAlgorithm(wanted));
    digester.update(bytes);
    if (digester.digest() !== wanted) throw new Fault('invalid', `manifest verification failed for digest ${wanted}`);
  }
  // What was asked for by tag is known here by Docker's own kind of digest.
  return reference.digest ?? sha256(bytes);
}

/** @returns its digest there */
export async function putManifest(
  session: Session,
  reference: Reference,
  manifest: { bytes: Buffer; mediaType: string },
  signal: AbortSignal,
): Promise<Digest> {
  const { bytes, mediaType } = manifest;
  const digest = sha256(bytes);
  const response = await session.send({
    method: 'PUT',
    url: session.url(`/v2/${reference.path}/manifests/${reference.tag ?? reference.digest ?? digest}`),
    headers: { 'content-type': mediaType, 'content-length': String(bytes.length) },
    body: () => bytes,
    scope: `repository:${reference.path}:pull,push`,
    signal,
  });
  if (response.status < 200 || response.status > 299) throw await registryFault(response);
  await response.discard();
  return digest;
}
