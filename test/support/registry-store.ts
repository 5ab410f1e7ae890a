/** What a registry double holds, in memory, and how the distribution protocol answers for it when nothing is made to go wrong. */
import { createHash, randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

export interface Asked {
  method: string;
  /** Path and query. */
  url: URL;
  headers: Record<string, string | undefined>;
  body: Buffer;
}

export interface StoreOptions {
  /** Tags of one page of the list (all). */
  pageSize?: number;
  /** whole: uploads take one PUT alone, as some registries do. */
  uploads?: 'pieces' | 'whole';
  /** Bytes of a PATCH or PUT beyond which 413 is answered. */
  mostBytes?: number;
  /** OCI-Chunk-Min-Length. */
  leastBytes?: number;
}

export interface Stored {
  mediaType: string;
  digest: string;
  size: number;
}

export const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

interface Repository {
  blobs: Set<string>;
  manifests: Map<string, { type: string; bytes: Buffer }>;
  tags: Map<string, string>;
}

export function digestOf(bytes: Uint8Array, algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

export class RegistryStore {
  readonly #options: StoreOptions;
  readonly #blobs = new Map<string, Buffer>();
  readonly #repositories = new Map<string, Repository>();
  /** Uploads that are open, by id. */
  readonly uploads = new Map<string, { repository: string; bytes: Buffer }>();

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  repository(name: string): Repository {
    let found = this.#repositories.get(name);
    if (found === undefined) {
      found = { blobs: new Set(), manifests: new Map(), tags: new Map() };
      this.#repositories.set(name, found);
    }
    return found;
  }

  addBlob(name: string, bytes: Buffer, mediaType: string = types.layer, algorithm = 'sha256'): Stored {
    const digest = digestOf(bytes, algorithm);
    this.#blobs.set(digest, bytes);
    this.repository(name).blobs.add(digest);
    return { mediaType, digest, size: bytes.length };
  }

  addManifest(name: string, tag: string | undefined, value: object, algorithm = 'sha256'): Stored {
    const { mediaType = types.manifest } = value as { mediaType?: string };
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = digestOf(bytes, algorithm);
    const repository = this.repository(name);
    repository.manifests.set(digest, { type: mediaType, bytes });
    if (tag !== undefined) repository.tags.set(tag, digest);
    return { mediaType, digest, size: bytes.length };
  }

  /** An image of these layers (plain tars, stored gzipped at no compression's cost in time). */
  addImage(
    name: string,
    tag: string | undefined,
    tars: readonly Buffer[],
    { algorithm = 'sha256', architecture = process.arch === 'arm64' ? 'arm64' : 'amd64' } = {},
  ): { layers: Stored[]; config: Stored; manifest: Stored } {
    const layers = tars.map((tar) => this.addBlob(name, gzipSync(tar, { level: 0 }), types.layer, algorithm));
    const rootfs = { type: 'layers', diff_ids: tars.map((tar) => digestOf(tar)) };
    const config = this.addBlob(
      name,
      Buffer.from(JSON.stringify({ os: 'linux', architecture, config: {}, rootfs })),
      types.config,
      algorithm,
    );
    const value = { schemaVersion: 2, mediaType: types.manifest, config, layers };
    return { layers, config, manifest: this.addManifest(name, tag, value, algorithm) };
  }

  blob(digest: string): Buffer | undefined {
    return this.#blobs.get(digest);
  }

  answer(asked: Asked): Answer {
    const { method, url } = asked;
    if (url.pathname === '/v2/') return json(200, {});
    const match = /^\/v2\/(.+)\/(manifests|blobs|tags)\/(.*)$/.exec(url.pathname);
    if (match === null) return refusal(404, 'NAME_UNKNOWN', 'repository name not known to registry');
    const [, name = '', kind, rest = ''] = match;
    const upload = /^\/v2\/(.+)\/blobs\/uploads\/(.*)$/.exec(url.pathname);
    if (upload !== null) return this.#upload(upload[1]!, upload[2]!, asked);
    if (kind === 'tags') return this.#tags(name, url);
    if (kind === 'manifests') return this.#manifest(name, rest, asked);
    return method === 'GET' || method === 'HEAD' ? this.#blob(name, rest, asked) : refusal(405, 'UNSUPPORTED', method);
  }

  #manifest(name: string, reference: string, { method, headers, body }: Asked): Answer {
    const repository = this.repository(name);
    if (method === 'PUT') {
      const digest = reference.includes(':') ? reference : digestOf(body);
      repository.manifests.set(digest, { type: headers['content-type'] ?? '', bytes: body });
      if (!reference.includes(':')) repository.tags.set(reference, digest);
      return plain(201, { location: `/v2/${name}/manifests/${digest}`, 'docker-content-digest': digest });
    }
    const digest = repository.tags.get(reference) ?? reference;
    const found = repository.manifests.get(digest);
    if (found === undefined) return refusal(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
    return {
      status: 200,
      headers: { 'content-type': found.type, 'docker-content-digest': digest },
      body: found.bytes,
    };
  }

  #blob(name: string, digest: string, { headers }: Asked): Answer {
    const bytes = this.repository(name).blobs.has(digest) ? this.#blobs.get(digest) : undefined;
    if (bytes === undefined) return refusal(404, 'BLOB_UNKNOWN', 'blob unknown to registry');
    const etag = `"${digest}"`;
    const shared = {
      'content-type': 'application/octet-stream',
      'docker-content-digest': digest,
      'accept-ranges': 'bytes',
      etag,
    };
    const from = /^bytes=(\d+)-$/.exec(headers['range'] ?? '')?.[1];
    const condition = headers['if-range'];
    if (from === undefined || (condition !== undefined && condition !== etag)) {
      return { status: 200, headers: shared, body: bytes };
    }
    if (Number(from) >= bytes.length) {
      return { status: 416, headers: { ...shared, 'content-range': `bytes */${bytes.length}` }, body: Buffer.alloc(0) };
    }
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    return { status: 206, headers: { ...shared, 'content-range': range }, body: bytes.subarray(Number(from)) };
  }

  #tags(name: string, url: URL): Answer {
    const all = [...this.repository(name).tags.keys()].sort((a, b) => (a < b ? -1 : 1));
    if (all.length === 0) return refusal(404, 'NAME_UNKNOWN', 'repository name not known to registry');
    const last = url.searchParams.get('last') ?? '';
    const size = this.#options.pageSize ?? all.length;
    const begin = last === '' ? 0 : all.indexOf(last) + 1;
    const tags = all.slice(begin, begin + size);
    const more = begin + size < all.length;
    const next = `</v2/${name}/tags/list?last=${tags.at(-1)}&n=${size}>; rel="next"`;
    const answer = json(200, { name, tags });
    return more ? { ...answer, headers: { ...answer.headers, link: next } } : answer;
  }

  #upload(name: string, id: string, asked: Asked): Answer {
    const { method, url, headers, body } = asked;
    if (id === '') return method === 'POST' ? this.#begin(name, url) : refusal(405, 'UNSUPPORTED', method);
    const upload = this.uploads.get(id);
    if (upload === undefined) return refusal(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
    const most = this.#options.mostBytes ?? Infinity;
    if (body.length > most) return plain(413, {});
    const whole = this.#options.uploads === 'whole';
    if (whole && method !== 'PUT' && method !== 'DELETE') return refusal(405, 'UNSUPPORTED', 'one PUT alone');
    const state = (): Record<string, string> => ({
      location: `/v2/${name}/blobs/uploads/${id}?_state=${upload.bytes.length}`,
      range: `0-${Math.max(0, upload.bytes.length - 1)}`,
    });
    if (method === 'GET') return plain(204, state());
    if (method === 'DELETE') {
      this.uploads.delete(id);
      return plain(204, {});
    }
    const begin = /^(\d+)-(\d+)$/.exec(headers['content-range'] ?? '');
    if (begin !== null && Number(begin[1]) !== upload.bytes.length) return plain(416, state());
    upload.bytes = Buffer.concat([upload.bytes, body]);
    if (method === 'PATCH') return plain(202, state());
    this.uploads.delete(id);
    const digest = url.searchParams.get('digest') ?? '';
    if (digestOf(upload.bytes, digest.split(':')[0]) !== digest) {
      return refusal(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
    }
    this.addBlob(name, upload.bytes, types.layer, digest.split(':')[0]);
    return plain(201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest });
  }

  #begin(name: string, url: URL): Answer {
    const [mount, from] = [url.searchParams.get('mount') ?? '', url.searchParams.get('from') ?? ''];
    if (mount !== '' && this.#repositories.get(from)?.blobs.has(mount) === true) {
      this.repository(name).blobs.add(mount);
      return plain(201, { location: `/v2/${name}/blobs/${mount}`, 'docker-content-digest': mount });
    }
    const id = randomUUID();
    this.uploads.set(id, { repository: name, bytes: Buffer.alloc(0) });
    const least = this.#options.leastBytes;
    return plain(202, {
      location: `/v2/${name}/blobs/uploads/${id}?_state=0`,
      range: '0-0',
      ...(least === undefined ? {} : { 'oci-chunk-min-length': String(least) }),
    });
  }
}

export function plain(status: number, headers: Record<string, string>): Answer {
  return { status, headers, body: Buffer.alloc(0) };
}

export function json(status: number, value: unknown): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(value)) };
}

export function refusal(status: number, code: string, message: string): Answer {
  return json(status, { errors: [{ code, message }] });
}
