/** `type=image`: an image of the store, with its names, and its copy in a registry. */
import type { ProgressMessage } from '../../api/index.ts';
import {
  type Digest,
  familiarReference,
  formatReference,
  parseReference,
  type Reference,
  withDefaultTag,
  withDigest,
} from '../../oci/index.ts';
import { Fault, faultKind, messageOf } from '../../std/index.ts';
import { type Attributes, flagOf } from './attributes.ts';
import type { ExportContext, Exported, FinishedBuild } from './door.ts';
import { descriptorOf, type ImageOptions, type ImageParts, imageParts, plainParts } from './image-parts.ts';
import type { PackContext } from './pack-layers.ts';
import type { ExportTask } from './progress.ts';

export interface StoreOptions {
  names: readonly Reference[];
  push: boolean;
  /** Without a name. */
  pushByDigest: boolean;
  store: boolean;
  /** By its digest, too. */
  nameCanonical: boolean;
  /** A repository that an image without a name is known by, with its digest. */
  danglingPrefix: Reference | undefined;
}

/** @throws Fault invalid */
export function storeOptionsOf(attributes: Attributes, names: readonly Reference[], push: boolean): StoreOptions {
  const byDigest = flagOf(attributes, 'push-by-digest') ?? false;
  if (flagOf(attributes, 'registry.insecure') === true)
    throw new Fault(
      'invalid',
      'Cannot push with registry.insecure: name the registry in insecure-registries of the daemon',
    );
  // There is no image that is not unpacked; what is no flag is told all the same.
  flagOf(attributes, 'unpack');
  const prefix = attributes['dangling-name-prefix'] ?? '';
  const pushed = push || flagOf(attributes, 'push') === true || byDigest;
  if (pushed && names.length === 0)
    throw new Fault('invalid', 'Cannot push an image without a name: give it one with -t registry/name:tag');
  return {
    names,
    push: pushed,
    pushByDigest: byDigest,
    store: flagOf(attributes, 'store') ?? true,
    nameCanonical: flagOf(attributes, 'name-canonical') ?? false,
    danglingPrefix: prefix === '' ? undefined : parseReference(prefix),
  };
}

/** Nothing is named before all of it is in the store, nothing is pushed before that. */
export async function exportToStore(
  context: PackContext,
  build: FinishedBuild,
  { image, store }: { image: ImageOptions; store: StoreOptions },
  { task, request }: { task: ExportTask; request: ExportContext['request'] },
  signal: AbortSignal,
): Promise<Exported> {
  // Layers that stay here need not be blobs.
  const isPacked = store.push || image.compression.isGiven || (image.rewriteTimes && image.epoch !== undefined);
  const parts = isPacked
    ? await imageParts(context, build, { ...image, asBlobs: true }, task, signal)
    : plainParts(build, image);
  const isUsual = !isPacked && build.annotations.size === 0 && isEmpty(image.annotations.manifest) && !image.docker;
  const stored = isUsual && !store.nameCanonical && store.danglingPrefix === undefined ? undefined : parts.manifest;
  if (store.store) await keep(context, parts, { ...store, manifest: stored }, task, signal);
  if (store.push) {
    for (const bytes of [parts.config, parts.manifest]) await context.content.put(bytes, build.hold.blobs);
    for (const name of store.names) {
      const target = store.pushByDigest ? withDigest(name, parts.descriptor.digest) : name;
      await push(context, parts, target, { task, request }, signal);
    }
  }
  return { image: parts.id, manifest: store.push ? parts.descriptor.digest : undefined };
}

async function keep(
  { images }: PackContext,
  parts: ImageParts,
  { names, nameCanonical, danglingPrefix, manifest }: StoreOptions & { manifest: Buffer | undefined },
  task: ExportTask,
  signal: AbortSignal,
): Promise<void> {
  const { digest } = parts.descriptor;
  const canonical = nameCanonical ? names.map((name) => withDigest(name, digest)) : [];
  const dangling = names.length === 0 && danglingPrefix !== undefined ? [withDigest(danglingPrefix, digest)] : [];
  const { config, id } = parts;
  const layers = parts.layers.map(descriptorOf);
  const all = [...names, ...canonical, ...dangling];
  await task.part(`writing image ${id}`, () => images.addBuilt({ config, layers, manifest, names: all }, signal));
  for (const name of all) task.done(`naming to ${formatReference(name)}`);
}

/** With what the client knows of the registry. @throws Fault as the registry says it, after what could not be pushed */
async function push(
  { images }: PackContext,
  parts: ImageParts,
  reference: Reference,
  { task, request }: { task: ExportTask; request: ExportContext['request'] },
  signal: AbortSignal,
): Promise<void> {
  const manifest = parts.descriptor.digest;
  try {
    const auth = await request.secrets.credentials(reference.domain, signal);
    await task.part('pushing layers', (report) =>
      followPush(images.pushBuilt({ manifest, reference, auth }, signal), parts, report),
    );
    task.done(`pushing manifest for ${pushedName(reference, manifest)}`);
  } catch (error) {
    signal.throwIfAborted();
    const message = `failed to push ${familiarReference(reference)}: ${messageOf(error)}`;
    throw new Fault(faultKind(error), message, { cause: error });
  }
}

function isEmpty(record: Readonly<Record<string, string>>): boolean {
  return Object.keys(record).length === 0;
}

function pushedName(reference: Reference, manifest: Digest): string {
  const name = formatReference(reference);
  return reference.digest === undefined ? `${name}@${manifest}` : name;
}

async function followPush(
  messages: AsyncIterable<ProgressMessage>,
  { layers }: ImageParts,
  report: (current: number, total: number) => void,
): Promise<void> {
  const total = layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  const sent = new Map<string, number>();
  for await (const { id, progressDetail } of messages) {
    if (id === undefined || progressDetail?.current === undefined) continue;
    sent.set(id, progressDetail.current);
    report(
      [...sent.values()].reduce((sum, bytes) => sum + bytes, 0),
      total,
    );
  }
}

/** Names of an output, with `latest` where they have no tag. @throws Fault invalid */
export function namesOf(names: readonly string[]): Reference[] {
  return names.map((name) => {
    try {
      return withDefaultTag(parseReference(name));
    } catch (error) {
      throw new Fault('invalid', `failed to parse ${name}: ${messageOf(error)}`, { cause: error });
    }
  });
}
