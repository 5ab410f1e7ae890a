/** The files of a saved archive that name its images: OCI's index.json, and manifest.json and repositories for older readers. */
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  familiarName,
  familiarReference,
  formatReference,
  mediaTypes,
} from '../oci/index.ts';
import { type BaseImage, formatSince, sinceAnnotation } from './archive-since.ts';
import type { Selected } from './save-selection.ts';

/** Where a blob lies in an OCI layout. */
export function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/** By name, in order. `manifests` has each image's manifest by its digest. */
export function indexFiles(
  selected: readonly Selected[],
  manifests: ReadonlyMap<Digest, { mediaType: string; size: number }>,
  bases: readonly BaseImage[],
): [name: string, body: Buffer][] {
  const files: [string, unknown][] = [
    ['index.json', ociIndex(selected, manifests, bases)],
    ['manifest.json', selected.map((each) => dockerManifest(each))],
    ['oci-layout', { imageLayoutVersion: '1.0.0' }],
  ];
  const repositories = legacyRepositories(selected);
  if (Object.keys(repositories).length > 0) files.push(['repositories', repositories]);
  return files.map(([name, value]) => [name, Buffer.from(`${JSON.stringify(value)}\n`)]);
}

/** One descriptor per name, as containerd reads them; an unnamed image has one without annotations. */
function ociIndex(
  selected: readonly Selected[],
  manifests: ReadonlyMap<Digest, { mediaType: string; size: number }>,
  bases: readonly BaseImage[],
): object {
  const descriptors = selected.flatMap(({ image, references }): Descriptor[] => {
    const { mediaType, size } = manifests.get(image.manifest)!;
    const descriptor: Descriptor = { mediaType, digest: image.manifest, size };
    if (references.length === 0) return [descriptor];
    return references.map((reference) => ({
      ...descriptor,
      annotations: {
        'io.containerd.image.name': formatReference(reference),
        'org.opencontainers.image.ref.name': reference.tag ?? 'latest',
      },
    }));
  });
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: descriptors };
  return bases.length === 0 ? index : { ...index, annotations: { [sinceAnnotation]: formatSince(bases) } };
}

function dockerManifest({ image, references }: Selected): object {
  const sources = image.layers.map((layer, index) => [image.config.rootfs.diff_ids[index], layer]);
  return {
    Config: blobPath(image.id),
    RepoTags: references.length === 0 ? null : references.map(familiarReference),
    Layers: image.layers.map((layer) => blobPath(layer.digest)),
    LayerSources: Object.fromEntries(sources) as object,
  };
}

function legacyRepositories(selected: readonly Selected[]): Record<string, Record<string, string>> {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { image, references } of selected) {
    const top = digestHex(image.layers.at(-1)?.digest ?? image.id);
    for (const reference of references) (repositories[familiarName(reference)] ??= {})[reference.tag ?? 'latest'] = top;
  }
  return repositories;
}
