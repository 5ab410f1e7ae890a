/** `type=oci` and `type=docker`: an OCI layout, the latter with what `docker load` reads. Equal images make equal bytes. */
import type { ClientBlobs } from '../../api/index.ts';
import {
  type Descriptor,
  type Digest,
  familiarReference,
  formatReference,
  mediaTypes,
  type Reference,
  tarHeader,
  type TarSource,
  writeTar,
} from '../../oci/index.ts';
import { type ImageParts, layoutPath } from './image-parts.ts';

export interface ArchiveOptions {
  names: readonly Reference[];
  /** Said of the manifest where the index names it. */
  descriptor: Readonly<Record<string, string>>;
  /** RFC 3339, in seconds. */
  created: string;
  /** With manifest.json. */
  docker: boolean;
}

interface LayoutFile {
  name: string;
  size: number;
  body: () => AsyncIterable<Uint8Array> | Uint8Array;
  mode: number;
}

const blobMode = 0o444;

/** In the order of the archive. */
function layoutFiles(parts: ImageParts, options: ArchiveOptions, signal: AbortSignal): LayoutFile[] {
  const blobs = new Map<Digest, Omit<LayoutFile, 'name'>>();
  for (const { descriptor, open } of parts.layers)
    blobs.set(descriptor.digest, { size: descriptor.size, body: () => open(signal), mode: blobMode });
  blobs.set(parts.id, { size: parts.config.length, body: () => parts.config, mode: blobMode });
  blobs.set(parts.descriptor.digest, { size: parts.manifest.length, body: () => parts.manifest, mode: blobMode });
  const text = (name: string, value: unknown, mode: number): LayoutFile => {
    const bytes = Buffer.from(JSON.stringify(value));
    return { name, size: bytes.length, body: () => bytes, mode };
  };
  return [
    ...[...blobs].map(([digest, file]) => ({ name: layoutPath(digest), ...file })),
    text('index.json', indexOf(parts, options), 0o644),
    ...(options.docker ? [text('manifest.json', [dockerManifest(parts, options)], 0o644)] : []),
    text('oci-layout', { imageLayoutVersion: '1.0.0' }, blobMode),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A descriptor for each name, as containerd reads them. */
function indexOf({ descriptor }: ImageParts, options: ArchiveOptions): object {
  const { platform, ...rest } = descriptor;
  const named = (names: Readonly<Record<string, string>>): Descriptor => {
    const all = { ...options.descriptor, 'org.opencontainers.image.created': options.created, ...names };
    const sorted = Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
    return { ...rest, annotations: Object.fromEntries(sorted), ...(platform === undefined ? {} : { platform }) };
  };
  const manifests =
    options.names.length === 0
      ? [named({})]
      : options.names.map((name) =>
          named({
            'io.containerd.image.name': formatReference(name),
            'org.opencontainers.image.ref.name': name.tag ?? 'latest',
          }),
        );
  return { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
}

function dockerManifest({ id, layers }: ImageParts, { names }: ArchiveOptions): object {
  return {
    Config: layoutPath(id),
    RepoTags: names.length === 0 ? null : names.map(familiarReference),
    Layers: layers.map(({ descriptor }) => layoutPath(descriptor.digest)),
  };
}

/** As a tar. */
export function imageArchive(
  parts: ImageParts,
  options: ArchiveOptions,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const files = layoutFiles(parts, options, signal);
  const folders = [...new Set(files.flatMap(({ name }) => foldersOf(name)))].sort();
  const entries = [
    ...folders.map((name): TarSource => ({ header: tarHeader(name, 'directory') })),
    ...files.map(
      ({ name, size, mode, body }): TarSource => ({
        header: tarHeader(name, 'file', { size, mode }),
        body: body(),
      }),
    ),
  ];
  return writeTar(entries);
}

/** Into a folder of the client's (`tar=false`), which writes the index itself: what is there already is not sent again. */
export async function imageToStore(
  store: ClientBlobs,
  { layers, id, config, descriptor, manifest }: ImageParts,
  report: (current: number, total: number) => void,
  signal: AbortSignal,
): Promise<void> {
  let sent = 0;
  async function* counted(bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      yield chunk;
      report((sent += chunk.length), 0);
    }
  }
  const blobs = [
    ...layers.map((layer) => ({
      digest: layer.descriptor.digest,
      size: layer.descriptor.size,
      open: () => layer.open(signal),
    })),
    { digest: id, size: config.length, open: () => [config] },
    { digest: descriptor.digest, size: manifest.length, open: () => [manifest] },
  ];
  for (const { digest, size, open } of blobs) {
    if ((await store.size(digest, signal)) === undefined) await store.write({ digest, size }, counted(open()), signal);
  }
}

function foldersOf(name: string): string[] {
  const parts = name.split('/').slice(0, -1);
  return parts.map((_part, index) => parts.slice(0, index + 1).join('/'));
}
