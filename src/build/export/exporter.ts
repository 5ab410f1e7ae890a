/** Every output of builds: each by its type, as BuildKit does it. */
import { mkdirSync, rmSync } from 'node:fs';
import type { BuildOutput } from '../../api/index.ts';
import type { Content } from '../../content/index.ts';
import type { ImageStore } from '../../image/index.ts';
import { hostPlatform, type Platform, type Reference } from '../../oci/index.ts';
import type { Snapshots } from '../../snapshot/index.ts';
import { Fault, formatNanos, type Nanos } from '../../std/index.ts';
import { annotationsOf } from './annotations.ts';
import { type Attributes, epochOf, flagOf } from './attributes.ts';
import { compressionOf } from './compression.ts';
import type { ExportContext, Exported, Exporter, FinishedBuild } from './door.ts';
import { type ArchiveOptions, imageArchive, imageToStore } from './image-archive.ts';
import { epochTime, type ImageOptions, imageParts, platformOf } from './image-parts.ts';
import { exportToStore, namesOf, type StoreOptions, storeOptionsOf } from './image-store.ts';
import type { LayerForms } from './layer-forms.ts';
import type { PackContext } from './pack-layers.ts';
import { type ExportTask, exportTask } from './progress.ts';
import { rootFolder, rootTar } from './root-files.ts';

export interface ExporterOptions {
  /** A folder of ours under the data root, for what is made before it is sent. */
  folder: string;
  content: Content;
  snapshots: Snapshots;
  images: ImageStore;
  forms: LayerForms;
  now: () => Nanos;
}

/** What was left in its folder goes. */
export function openExporter({ folder, content, snapshots, images, forms, now }: ExporterOptions): Exporter {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const parts = { content, snapshots, images, forms };
  const context = { ...parts, folder, now };
  return {
    check: (output) => void readOutput(output, hostPlatform()),
    export: (build, output, around, signal) => exportOne(context, build, output, around, signal),
  };
}

type Context = PackContext & { folder: string; now: () => Nanos };

/** One output as it is asked for. */
interface Wanted {
  attributes: Attributes;
  names: readonly Reference[];
  /** Of the output itself, over the build's. */
  epoch: number | undefined;
  image: Omit<ImageOptions, 'epoch'>;
  store: StoreOptions | undefined;
  platformSplit: boolean;
  asTar: boolean;
}

const knownTypes: ReadonlySet<string> = new Set(['image', 'docker', 'oci', 'tar', 'local', 'cacheonly']);

/** @throws Fault invalid, not-implemented */
function readOutput(output: BuildOutput, platform: Platform): Wanted {
  const { type, attributes } = output;
  if (!knownTypes.has(type)) throw new Fault('invalid', `exporter ${JSON.stringify(type)} could not be found`);
  const isImage = type === 'image' || type === 'docker' || type === 'oci';
  const names = isImage ? namesOf(output.names) : [];
  const annotations = annotationsOf(attributes, platform);
  if (isImage && annotations.index)
    throw new Fault('invalid', 'index annotations not supported for single platform export');
  const ociTypes = flagOf(attributes, 'oci-mediatypes') ?? type !== 'docker';
  const wanted: Wanted = {
    attributes,
    names,
    epoch: epochOf(attributes),
    image: {
      compression: compressionOf(isImage ? attributes : {}),
      annotations,
      docker: !ociTypes,
      rewriteTimes: flagOf(attributes, 'rewrite-timestamp') ?? false,
    },
    store: type === 'image' ? storeOptionsOf(attributes, names, output.push) : undefined,
    platformSplit: flagOf(attributes, 'platform-split') ?? false,
    asTar: flagOf(attributes, 'tar') ?? true,
  };
  const isLayout = (type === 'oci' || type === 'docker') && !wanted.asTar;
  if ((type === 'local' && output.writeTree === undefined) || (isLayout && output.store === undefined))
    throw new Fault('invalid', `Cannot export type=${type}: the client takes no folder`);
  const isFile = type === 'tar' || ((type === 'oci' || type === 'docker') && wanted.asTar);
  if (isFile && output.write === undefined)
    throw new Fault('invalid', `Cannot export type=${type}: the client takes no file; give one with dest=`);
  return wanted;
}

async function exportOne(
  context: Context,
  build: FinishedBuild,
  output: BuildOutput,
  around: ExportContext,
  signal: AbortSignal,
): Promise<Exported> {
  const wanted = readOutput(output, platformOf(build.config));
  const nothing: Exported = { image: undefined, manifest: undefined };
  const epoch = wanted.epoch ?? build.epoch;
  const run = <Result>(name: string, work: (task: ExportTask) => Promise<Result>): Promise<Result> =>
    exportTask(name, { emit: around.emit, now: context.now }, signal, work);
  switch (output.type) {
    case 'cacheonly':
      return nothing;
    case 'image': {
      const image = settled(wanted, build, epoch);
      const store = wanted.store!;
      return run('exporting to image', (task) =>
        exportToStore(context, build, { image, store }, { task, request: around.request }, signal),
      );
    }
    case 'oci':
    case 'docker':
      return run(`exporting to ${output.type} image format`, (task) =>
        exportArchive(context, build, output, { wanted, epoch, task }, signal),
      );
    case 'tar':
      return run('exporting to client tarball', async (task) => {
        const modified = epoch === undefined ? undefined : BigInt(epoch) * 1_000_000_000n;
        await task.part('sending tarball', (report) =>
          output.write!(counted(rootTar(context.snapshots, build, modified, signal), report)),
        );
        return nothing;
      });
    default:
      return run('exporting to client directory', async (task) => {
        const platform = platformOf(build.config);
        const below = wanted.platformSplit ? platform : undefined;
        await using folder = await rootFolder(context.folder, context.snapshots, build, below);
        const modified = epoch === undefined ? undefined : BigInt(epoch) * 1_000_000_000n;
        await task.part('copying files', () => output.writeTree!(folder.path, { modified }));
        return nothing;
      });
  }
}

async function exportArchive(
  context: Context,
  build: FinishedBuild,
  output: BuildOutput,
  { wanted, epoch, task }: { wanted: Wanted; epoch: number | undefined; task: ExportTask },
  signal: AbortSignal,
): Promise<Exported> {
  const image = settled(wanted, build, epoch);
  const parts = await imageParts(context, build, { ...image, asBlobs: false }, task, signal);
  const now = formatNanos((context.now() / 1_000_000_000n) * 1_000_000_000n);
  const options: ArchiveOptions = {
    names: wanted.names,
    descriptor: image.annotations.descriptor,
    created: epoch === undefined ? now : epochTime(epoch),
    docker: output.type === 'docker',
  };
  if (wanted.asTar) {
    await task.part('sending tarball', (report) =>
      output.write!(counted(imageArchive(parts, options, signal), report)),
    );
  } else {
    await task.part('copying files', (report) => imageToStore(output.store!, parts, report, signal));
  }
  return { image: parts.id, manifest: parts.descriptor.digest, descriptor: parts.descriptor };
}

/** Annotations are OCI's alone. */
function settled({ image }: Wanted, { annotations }: FinishedBuild, epoch: number | undefined): ImageOptions {
  const hasAnnotations = annotations.size > 0 || Object.keys(image.annotations.manifest).length > 0;
  return { ...image, epoch, docker: image.docker && !hasAnnotations };
}

async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  report: (current: number, total: number) => void,
): AsyncGenerator<Uint8Array, void, void> {
  let sent = 0;
  for await (const chunk of bytes) {
    yield chunk;
    report((sent += chunk.length), 0);
  }
}
