/** The media types of images, OCI's and Docker's schema 2. */

export const mediaTypes = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerManifest1: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerLayerZstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
  dockerForeignLayer: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
} as const;

export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList;
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest;
}

/** What an image's config may be; anything else (a chart, an attestation) is an artifact and not an image. */
export function isImageConfigType(mediaType: string): boolean {
  return (
    mediaType === mediaTypes.ociConfig ||
    mediaType === mediaTypes.dockerConfig ||
    mediaType === 'application/octet-stream'
  );
}

const layerForms: readonly (readonly [oci: string, docker: string])[] = [
  [mediaTypes.ociLayer, mediaTypes.dockerLayer],
  [mediaTypes.ociLayerGzip, mediaTypes.dockerLayerGzip],
  [mediaTypes.ociLayerZstd, mediaTypes.dockerLayerZstd],
];

/** A layer's media type in the other's words; one that is in neither's stays. */
export function layerTypeAs(mediaType: string, words: 'oci' | 'docker'): string {
  const form = layerForms.find((each) => each.includes(mediaType));
  return form?.[words === 'oci' ? 0 : 1] ?? mediaType;
}
