/** What the room's tests share: an image store on throw-away folders, and small images to put in. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { ProgressMessage } from '../api/index.ts';
import { type Content, openContent } from '../content/index.ts';
import { tarHeader, type TarSource, writeTar } from '../oci/index.ts';
import { openRegistry, type RegistryOptions } from '../registry/index.ts';
import { openSnapshots, type Snapshots } from '../snapshot/index.ts';
import { collectBytes, silentLogger } from '../std/index.ts';
import type { ImageEvent, ImageStore, ImageUse } from './door.ts';
import { openImages } from './open.ts';

export const skipUnlessRoot: string | false = process.getuid?.() === 0 ? false : 'needs root (overlayfs, owners)';
export const signal: AbortSignal = new AbortController().signal;

export interface Fixture extends AsyncDisposable {
  root: string;
  images: ImageStore;
  content: Content;
  snapshots: Snapshots;
  events: ImageEvent[];
  /** What `uses` answers, by image id. */
  uses: Map<string, ImageUse[]>;
  /** Parts of blobs that transfers left. */
  partialBlobs(): { name: string; size: number }[];
  /** Names of what half-unpacked layers hold. */
  unpacking(): string[];
  /** Another daemon on the same folders. */
  reopen(): Promise<void>;
}

/** Disposing fails when a mount is left. */
export async function openFixture(
  options: RegistryOptions & { parallelDownloads?: number; parallelUploads?: number } = {},
): Promise<Fixture> {
  const root = mkdtempSync(join(tmpdir(), 'wherry-image-'));
  const registry = openRegistry(options);
  const events: ImageEvent[] = [];
  const uses = new Map<string, ImageUse[]>();
  const open = async (): Promise<Pick<Fixture, 'images' | 'content' | 'snapshots'>> => {
    const content = await openContent({ root: join(root, 'content') });
    const snapshots = await openSnapshots({ root: join(root, 'snapshots') });
    const images = await openImages({
      root: join(root, 'images'),
      content,
      snapshots,
      registry,
      parallelDownloads: options.parallelDownloads ?? 3,
      parallelUploads: options.parallelUploads ?? 5,
      version: '1.2.3',
      uses: (id) => uses.get(id) ?? [],
      emit: (event) => events.push(event),
      log: silentLogger,
    });
    await images.collect();
    return { images, content, snapshots };
  };
  const fixture: Fixture = {
    root,
    ...(await open()),
    events,
    uses,
    partialBlobs: () => {
      const folder = join(root, 'content', 'ingest');
      return readdirSync(folder).flatMap((name) => {
        const size = statSync(join(folder, name), { throwIfNoEntry: false })?.size;
        return size === undefined ? [] : [{ name, size }];
      });
    },
    unpacking: () =>
      readdirSync(join(root, 'snapshots', 't'), { recursive: true, encoding: 'utf8' })
        .map((name) => basename(name))
        .filter((name) => name !== 'fs' && !/^[0-9a-f]{12}$/.test(name)),
    reopen: async () => {
      Object.assign(fixture, await open());
    },
    [Symbol.asyncDispose]: async () => {
      await registry.close();
      for (const id of fixture.snapshots.writables()) await fixture.snapshots.remove(id);
      const left = readFileSync('/proc/self/mountinfo', 'utf8').includes(root);
      rmSync(root, { recursive: true, force: true });
      if (left) throw new Error(`mounts are left under ${root}`);
    },
  };
  return fixture;
}

/** A tar of files by name. */
export function tarOf(files: Record<string, string | Uint8Array>): Promise<Buffer> {
  const entries = Object.entries(files).map(([name, content]): TarSource => {
    const body = Buffer.from(content);
    return { header: tarHeader(name, 'file', { size: body.length }), body };
  });
  return collectBytes(writeTar(entries), 1 << 28);
}

export async function* bytesOf(data: Buffer, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

/** All messages of a stream. */
export async function all(stream: Promise<AsyncIterable<ProgressMessage>>): Promise<ProgressMessage[]> {
  const messages: ProgressMessage[] = [];
  for await (const message of await stream) messages.push(message);
  return messages;
}

/** Imports an image of one file and returns its id. */
export async function importImage(
  { images }: Fixture,
  repo: string | undefined,
  options: { content?: string; changes?: string[] } = {},
): Promise<string> {
  const tar = await tarOf({ file: options.content ?? 'base' });
  const request = {
    source: '-',
    body: bytesOf(tar),
    repo,
    tag: undefined,
    message: '',
    changes: options.changes ?? [],
    platform: undefined,
  };
  return (await all(images.import(request, signal))).at(-1)!.status!;
}

/** Commits a layer of one file on `parent`. */
export async function commitOn(
  { images }: Fixture,
  parent: string,
  content: string,
  reference?: { repo: string; tag: string | undefined },
): Promise<string> {
  const { config } = (await images.get(parent))!;
  return images.commit({
    parent,
    layer: bytesOf(await tarOf({ [`file-${content}`]: content })),
    config,
    createdBy: `make ${content}`,
    comment: '',
    author: '',
    reference,
    containerId: 'c'.repeat(64),
  });
}

export async function saved({ images }: Fixture, refs: string[], since: string[] = []): Promise<Buffer> {
  const { size, tar } = await images.save(refs, { platform: undefined, since }, signal);
  const archive = await collectBytes(tar, 1 << 28);
  if (archive.length !== size) throw new Error(`the archive has ${archive.length} bytes, not ${size} as announced`);
  return archive;
}

export function load({ images }: Fixture, archive: Buffer, quiet = true): Promise<ProgressMessage[]> {
  return all(images.load(bytesOf(archive), { quiet, platform: undefined }, signal));
}

/** What `verify` finds, and after mending what can be: `kind problem: detail`. */
export async function verified(
  { images }: Fixture,
  options: { quick?: boolean; repair?: boolean; running?: string[] } = {},
): Promise<string[]> {
  const lines: string[] = [];
  const counts = { Images: 0, Blobs: 0, BlobBytes: 0, Layers: 0, LayersCompared: 0 };
  const request = {
    quick: options.quick ?? false,
    runningOn: () => options.running ?? [],
    progress: () => {},
    note: (text: string) => lines.push(`note: ${text}`),
    counts,
  };
  for await (const found of images.verify(request, signal)) {
    let done = found.Action;
    if (options.repair === true && found.repair !== undefined) {
      if (found.repair === 'remove') rmSync(found.Path, { recursive: true });
      else done = await found.repair().catch((error: Error) => `failed: ${error.message}`);
    }
    lines.push(`${found.Kind} ${found.Problem}: ${found.Detail} | ${done}`);
  }
  return lines;
}
