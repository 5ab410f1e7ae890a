/** Folders of blobs that a client lends to a builder: OCI image layouts, which caches of builds are kept in. */
import { createHash, type Hash, randomUUID } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode, Fault } from '../../std/index.ts';
import { bidirectional, type CallContext, type Method, streaming, unary } from '../grpc/service.ts';
import { GrpcFault, grpcCode } from '../grpc/status.ts';
import {
  contentService,
  infoRequest,
  infoResponse,
  readRequest,
  readResponse,
  storeHeader,
  writeAction,
  writeRequest,
  writeResponse,
} from '../message/content.ts';
import type { Message, MessageInit } from '../protobuf/field.ts';

/** As the builder calls a folder that the user named so. */
export function storeName(folder: string): string {
  return `local:${folder}`;
}

/** `stores`: the folders by what the builder calls them. */
export function contentMethods(stores: ReadonlyMap<string, string>): [string, Method][] {
  return [
    [
      `${contentService}/Info`,
      unary(infoRequest, infoResponse, ({ digest }, call) => ({
        info: { digest, size: sizeOf(blobPath(storeOf(stores, call), digest), digest) },
      })),
    ],
    [
      `${contentService}/Read`,
      streaming(readRequest, readResponse, async function* ({ digest, offset, size }, call) {
        const path = blobPath(storeOf(stores, call), digest);
        const end = size > 0 ? Math.min(sizeOf(path, digest), offset + size) : sizeOf(path, digest);
        if (offset >= end) return;
        let at = offset;
        for await (const data of createReadStream(path, { start: offset, end: end - 1, highWaterMark: 1 << 20 })) {
          yield { offset: at, data: data as Buffer };
          at += (data as Buffer).length;
        }
      }),
    ],
    [
      `${contentService}/Write`,
      bidirectional(writeRequest, writeResponse, (requests, call) => write(storeOf(stores, call), requests)),
    ],
  ];
}

function storeOf(stores: ReadonlyMap<string, string>, call: CallContext): string {
  const name = call.metadata(storeHeader) ?? '';
  const folder = stores.get(name);
  if (folder === undefined) throw new GrpcFault(grpcCode.notFound, `no content store ${JSON.stringify(name)} is lent`);
  return folder;
}

/** @throws GrpcFault for what is no digest */
function blobPath(folder: string, digest: string): string {
  const match = /^sha256:([0-9a-f]{64})$/.exec(digest);
  if (match === null) throw new GrpcFault(grpcCode.invalidArgument, `invalid digest ${JSON.stringify(digest)}`);
  return join(folder, 'blobs/sha256', match[1]!);
}

function sizeOf(path: string, digest: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new GrpcFault(grpcCode.notFound, `content ${digest}: not found`);
  return stats.size;
}

/** One blob. It has its name when it is there whole, and nothing is left of one that is not. */
async function* write(
  folder: string,
  requests: AsyncIterable<Message<typeof writeRequest>>,
): AsyncGenerator<MessageInit<typeof writeResponse>, void, void> {
  let blob: IncomingBlob | undefined;
  try {
    for await (const request of requests) {
      blob ??= await IncomingBlob.open(folder, request.expected);
      const { action, total } = request;
      if (action !== writeAction.stat) await blob.add(request.data, request.offset);
      if (action === writeAction.commit) blob.commit(total);
      yield { action, offset: blob.size, total, digest: blob.digest };
    }
  } finally {
    await blob?.close();
  }
}

class IncomingBlob {
  readonly #path: string;
  readonly #partial: string;
  readonly #file: FileHandle;
  readonly #expected: string;
  readonly #hash: Hash = createHash('sha256');
  size = 0;

  private constructor(path: string, partial: string, file: FileHandle, expected: string) {
    this.#path = path;
    this.#partial = partial;
    this.#file = file;
    this.#expected = expected;
  }

  static async open(folder: string, expected: string): Promise<IncomingBlob> {
    const path = blobPath(folder, expected);
    if (statSync(path, { throwIfNoEntry: false }) !== undefined)
      throw new GrpcFault(grpcCode.alreadyExists, `content ${expected}: already exists`);
    mkdirSync(join(folder, 'ingest'), { recursive: true });
    const partial = join(folder, 'ingest', randomUUID());
    return new IncomingBlob(path, partial, await open(partial, 'wx'), expected);
  }

  get digest(): string {
    return `sha256:${this.#hash.copy().digest('hex')}`;
  }

  async add(data: Uint8Array, offset: number): Promise<void> {
    if (data.length === 0) return;
    if (offset !== this.size)
      throw new GrpcFault(grpcCode.invalidArgument, `content ${this.#expected}: bytes at ${offset}, not ${this.size}`);
    this.#hash.update(data);
    await this.#file.appendFile(data);
    this.size += data.length;
  }

  commit(total: number): void {
    if (this.digest !== this.#expected || (total > 0 && total !== this.size))
      throw new GrpcFault(grpcCode.failedPrecondition, `content ${this.#expected}: the bytes are others`);
    mkdirSync(dirname(this.#path), { recursive: true });
    renameSync(this.#partial, this.#path);
  }

  async close(): Promise<void> {
    await this.#file.close();
    rmSync(this.#partial, { force: true });
  }
}

const refName = 'org.opencontainers.image.ref.name';

interface LayoutDescriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

/** The digest of what the layout calls by that tag; undefined where there is no layout, or nothing of that tag. @throws Fault invalid */
export function layoutDigest(folder: string, tag: string): string | undefined {
  const named = readIndex(folder).manifests.find(({ annotations }) => annotations?.[refName] === tag);
  return named?.digest;
}

/** What the tag is from now on: the `cache.manifest` that a build answered. @throws Fault invalid */
export function tagInLayout(folder: string, tag: string, manifest: string): void {
  const { mediaType, digest, size } = JSON.parse(manifest) as LayoutDescriptor;
  const { manifests } = readIndex(folder);
  const others = manifests.filter(({ annotations }) => annotations?.[refName] !== tag);
  const entry = { mediaType, digest, size, annotations: { [refName]: tag } };
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [...others, entry],
  };
  mkdirSync(folder, { recursive: true });
  replace(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  replace(join(folder, 'index.json'), JSON.stringify(index));
}

function readIndex(folder: string): { manifests: LayoutDescriptor[] } {
  const path = join(folder, 'index.json');
  try {
    const { manifests } = JSON.parse(readFileSync(path, 'utf8')) as { manifests?: LayoutDescriptor[] };
    return { manifests: manifests ?? [] };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return { manifests: [] };
    throw new Fault('invalid', `Cannot read ${path}: it is no index of an OCI layout`, { cause: error });
  }
}

function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
