/** The dictionary of what is on disk and in registries: digests, references, manifests, platforms, tar. Pure. */
export { chainId, chainIds, initChainId } from './chain-id.ts';
export { type Digest, digestAlgorithm, Digester, digestHex, isDigest, parseDigest, sha256 } from './digest.ts';
export { goFileMode, statFileMode } from './file-mode.ts';
export { type HistoryEntry, type ImageConfig, parseImageConfig } from './image-config.ts';
export {
  type Descriptor,
  encodeManifest,
  type Index,
  type Manifest,
  type ManifestDetails,
  manifestLimit,
  type ManifestOrIndex,
  parseDescriptor,
  parseManifest,
  parseObject,
} from './manifest.ts';
export { isImageConfigType, isIndexType, isManifestType, layerTypeAs, mediaTypes } from './media-type.ts';
export {
  choosePlatform,
  formatPlatform,
  hostPlatform,
  normalizePlatform,
  parsePlatform,
  type Platform,
  platformDistance,
} from './platform.ts';
export {
  defaultDomain,
  familiarName,
  familiarReference,
  formatReference,
  parseAnyReference,
  parseReference,
  type Reference,
  referenceName,
  trimReference,
  withDefaultTag,
  withDigest,
  withTag,
} from './reference.ts';
export { type TarEntry, type TarExtent, type TarHeader, tarHeader, type TarType } from './tar/entry.ts';
export { readTar } from './tar/reader.ts';
export { encodeTarHeader, endOfTar, type TarSource, writeTar } from './tar/writer.ts';
