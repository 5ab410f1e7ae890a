/** A client's build session: what it lends, as api/build.ts asks for it. The daemon is the caller (buildkit, session/). */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { BuildSecrets, ClientBlobs, LocalSource, RegistryAuth } from '../../api/index.ts';
import { tapBytes } from '../../std/index.ts';
import { GrpcClient, type Metadata } from '../grpc/client.ts';
import { GrpcFault, grpcCode } from '../grpc/status.ts';
import { bytesMessage } from '../message/common.ts';
import { credentialsRequest, credentialsResponse, packet, secretRequest, secretResponse } from '../message/session.ts';
import { forwardAgent } from './agent.ts';
import { ContentStore } from './content-store.ts';
import type { LocalTrees } from './local-trees.ts';
import { sendTree } from './send-tree.ts';

const outputChunkBytes = 1 << 20;

export interface SessionOptions {
  id: string;
  /** Clients that share it share copies of their directories. */
  sharedKey: string;
  client: GrpcClient;
  trees: LocalTrees;
  /** A folder for sockets, short enough for their names. */
  socketFolder: string;
}

export class Session {
  readonly #options: SessionOptions;
  readonly secrets: BuildSecrets;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.secrets = {
      secret: (id, signal) => this.#secret(id, signal),
      agent: (id, signal) => forwardAgent(options.client, id, options.socketFolder, signal),
      credentials: (host, signal) => this.#credentials(host, signal),
    };
  }

  get id(): string {
    return this.#options.id;
  }

  /** Resolves when the client is gone. */
  get closed(): Promise<void> {
    return this.#options.client.closed;
  }

  /** The client's directory of that name. */
  source(name: string): LocalSource {
    const { client, trees, sharedKey } = this.#options;
    return {
      fetch: async ({ followPaths, excludes }, signal) => {
        const metadata = {
          ...repeated('dir-name', [name]),
          ...repeated('followpaths', followPaths),
          ...repeated('exclude-patterns', excludes),
        };
        // What is left out by the rules is not in the copy, so the rules are part of its name.
        const key = createHash('sha256')
          .update(JSON.stringify([sharedKey, name, followPaths, excludes]))
          .digest('hex');
        using call = client.call(
          '/moby.filesync.v1.FileSync/DiffCopy',
          { request: packet, response: packet },
          { metadata, signal },
        );
        return await trees.receive(sharedKey === '' ? undefined : key, call);
      },
    };
  }

  /** The client's folder of blobs of that name. */
  store(name: string): ClientBlobs {
    return new ContentStore(this.#options.client, name);
  }

  /** Sends the bytes of the file that the client keeps (`--output type=tar,dest=…`). `exporter`: which, where there are several. */
  async sendFile(bytes: AsyncIterable<Uint8Array>, exporter: number): Promise<void> {
    const metadata = { 'buildkit-attachable-exporter-id': String(exporter) };
    const tables = { request: bytesMessage, response: bytesMessage };
    using call = this.#options.client.call('/moby.filesync.v1.FileSend/DiffCopy', tables, { metadata });
    try {
      for await (const chunk of bytes) {
        for (let at = 0; at < chunk.length; at += outputChunkBytes) {
          await call.send({ data: chunk.subarray(at, at + outputChunkBytes) });
        }
      }
    } catch (error) {
      // A client that refuses the file closes the call: why is in its status, not in our failed write.
      if (error instanceof GrpcFault) for await (const _ of call.messages) continue;
      throw error;
    }
    call.end();
    for await (const _ of call.messages) continue;
  }

  /** Sends a folder's tree (`--output type=local,dest=…`). @throws Fault */
  async sendTree(folder: string, exporter: number, modified?: bigint): Promise<void> {
    const metadata = { 'buildkit-attachable-exporter-id': String(exporter) };
    const tables = { request: packet, response: packet };
    using call = this.#options.client.call('/moby.filesync.v1.FileSend/DiffCopy', tables, { metadata });
    await sendTree(call, folder, { modified });
  }

  /**
   * An archive that the client offers by URL (`docker build -`), unpacked once; it lives as long as the session. As with every context that
   * is not a directory of the client's, all of it is there, whatever the ignore rules say.
   */
  uploaded(url: URL): LocalSource {
    let unpacked: Promise<{ path: string; transferred: number }> | undefined;
    return {
      ignores: 'none',
      fetch: async (_, signal) => {
        const first = unpacked === undefined;
        unpacked ??= this.#unpack(url, signal);
        const { path, transferred } = await unpacked;
        return { path, transferred: first ? transferred : 0, [Symbol.asyncDispose]: async () => {} };
      },
    };
  }

  async #unpack(url: URL, signal: AbortSignal): Promise<{ path: string; transferred: number }> {
    let transferred = 0;
    const counted = tapBytes(this.#upload(url, signal), (bytes) => {
      transferred += bytes.length;
    });
    const path = await this.#options.trees.unpack(counted, signal);
    void this.closed.then(() => rm(path, { recursive: true, force: true }));
    return { path, transferred };
  }

  async *#upload(url: URL, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const metadata = { urlpath: url.pathname, urlhost: url.host };
    const tables = { request: bytesMessage, response: bytesMessage };
    using call = this.#options.client.call('/moby.upload.v1.Upload/Pull', tables, { metadata, signal });
    for await (const { data } of call.messages) yield data;
  }

  async #secret(id: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const tables = { request: secretRequest, response: secretResponse };
    try {
      const { data } = await this.#options.client.unary(
        '/moby.buildkit.secrets.v1.Secrets/GetSecret',
        tables,
        { id },
        { signal },
      );
      return data;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async #credentials(host: string, signal: AbortSignal): Promise<RegistryAuth | undefined> {
    const tables = { request: credentialsRequest, response: credentialsResponse };
    // Docker's client keeps the Hub's login under another name and knows this one.
    const asked = host === 'docker.io' || host === 'index.docker.io' ? 'registry-1.docker.io' : host;
    try {
      const { username, secret } = await this.#options.client.unary(
        '/moby.filesync.v1.Auth/Credentials',
        tables,
        { host: asked },
        { signal },
      );
      if (secret === '') return undefined;
      return username === ''
        ? { identitytoken: secret, serveraddress: host }
        : { username, password: secret, serveraddress: host };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }
}

/** The client has it not, or has no such service. */
function isMissing(error: unknown): boolean {
  return error instanceof GrpcFault && (error.code === grpcCode.notFound || error.code === grpcCode.unimplemented);
}

/** A header per value; beyond ASCII query-escaped and marked so (buildkit, session/filesync). */
function repeated(name: string, values: readonly string[]): Metadata {
  if (values.length === 0) return {};
  if (values.every((value) => /^[\x20-\x7e]*$/.test(value))) return { [name]: values };
  const escaped = values.map((value) => encodeURIComponent(value).replace(/%20/g, '+'));
  return { [name]: escaped, [`${name}-encoded`]: '1' };
}
