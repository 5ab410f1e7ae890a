/**
 * What a request asks for (distribution-spec "Endpoints"), and of which registry: the one that `?ns=` names, as containerd asks
 * mirrors; else the one the path begins with (`/v2/quay.io/team/app/…`), as a prefix in registries.conf makes it; else the default
 * one, as Docker asks mirrors. A path has no colon where names of images are read, so `host__5000` there stands for `host:5000`. No file is ever named after what is read here.
 */
import {
  type Digest,
  isDigest,
  parseReference,
  type Reference,
  defaultDomain,
  withDigest,
  withTag,
} from '../oci/index.ts';
import { looksLikeRegistry, registryName } from './registry-name.ts';
import { Refusal } from './refusal.ts';

export type Route =
  | { kind: 'ping' }
  /** `reference` has a tag or a digest. */
  | { kind: 'manifest'; reference: Reference }
  | { kind: 'blob'; reference: Reference; digest: Digest }
  /** `name` and `namespace` as the client wrote them; `query` is for the registry. */
  | { kind: 'tags'; reference: Reference; name: string; namespace: string | undefined; query: string };

const targetLimit = 2048;

/** @throws Refusal when it is nothing that is served here */
export function parseRoute(target: string, upstreams: ReadonlySet<string>): Route {
  if (target.length > targetLimit) throw new Refusal(414, 'UNSUPPORTED', 'the request target is too long');
  const mark = target.indexOf('?');
  const path = decoded(mark < 0 ? target : target.slice(0, mark));
  const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
  if (path === '/v2/' || path === '/v2') return { kind: 'ping' };
  const match = /^\/v2\/(.+)\/(?:(manifests|blobs)\/([^/]+)|tags\/list)$/.exec(path);
  const [, name = '', kind, last = ''] = match ?? [];
  if (match === null) throw new Refusal(404, 'UNSUPPORTED', 'this cache serves manifests, blobs and lists of tags');
  const namespace = query.get('ns') ?? undefined;
  const reference = repositoryOf(name, namespace, upstreams);
  if (kind === undefined) {
    query.delete('ns');
    return { kind: 'tags', reference, name, namespace, query: query.toString() };
  }
  if (kind === 'blobs') return { kind: 'blob', reference, digest: digestOf(last) };
  if (last.includes(':')) return { kind: 'manifest', reference: withDigest(reference, digestOf(last)) };
  try {
    return { kind: 'manifest', reference: withTag(reference, last) };
  } catch (cause) {
    throw new Refusal(400, 'MANIFEST_INVALID', 'invalid tag', { cause });
  }
}

function repositoryOf(name: string, namespace: string | undefined, upstreams: ReadonlySet<string>): Reference {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash).replace(/__(\d+)$/, ':$1');
  const prefixed = namespace === undefined && looksLikeRegistry(first);
  let reference: Reference;
  try {
    const domain = registryName(namespace ?? (prefixed ? first : defaultDomain));
    const path = prefixed ? name.slice(slash + 1) : name;
    // A tag or digest would be none of the name's.
    if (/[:@]/.test(path)) throw new Error('a name has no colon');
    reference = parseReference(`${domain}/${path}`);
  } catch (cause) {
    throw new Refusal(400, 'NAME_INVALID', 'invalid repository name', { cause });
  }
  if (upstreams.has(reference.domain)) return reference;
  const served = [...upstreams].join(', ');
  throw new Refusal(403, 'DENIED', `this cache does not serve ${reference.domain}, only ${served}`);
}

function digestOf(text: string): Digest {
  if (isDigest(text)) return text;
  throw new Refusal(400, 'DIGEST_INVALID', 'invalid digest');
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw new Refusal(400, 'NAME_INVALID', 'invalid path', { cause });
  }
}
