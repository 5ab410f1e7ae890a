/** The image config (OCI image-spec "Image Configuration" with Docker's additions), as stored in its blob. */
import { Fault } from '../std/index.ts';
import { type Digest, isDigest } from './digest.ts';
import { parseObject } from './manifest.ts';
import { checkRuntimeDefaults } from './runtime-defaults.ts';

export interface HistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

export interface ImageConfig {
  architecture: string;
  variant?: string;
  os: string;
  'os.version'?: string;
  created?: string;
  author?: string;
  comment?: string;
  docker_version?: string;
  /** Docker's ContainerConfig words (Env, Cmd, Labels, …), as found. */
  config?: Record<string, unknown>;
  container?: string;
  container_config?: Record<string, unknown>;
  rootfs: { type: 'layers'; diff_ids: Digest[] };
  history?: HistoryEntry[];
}

/** @throws Fault invalid */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const value = parseObject(bytes, 'image config');
  const rootfs = value['rootfs'] as { diff_ids?: unknown } | null | undefined;
  const ids: unknown = rootfs?.diff_ids ?? [];
  if (!Array.isArray(ids) || !ids.every((id) => typeof id === 'string' && isDigest(id))) {
    throw new Fault('invalid', 'Cannot read image config: "rootfs.diff_ids" is not a list of digests');
  }
  const text = (key: string): string | undefined => (typeof value[key] === 'string' ? value[key] : undefined);
  const config: ImageConfig = {
    architecture: text('architecture') ?? '',
    os: text('os') ?? 'linux',
    rootfs: { type: 'layers', diff_ids: ids },
  };
  for (const key of ['variant', 'os.version', 'created', 'author', 'comment', 'docker_version', 'container'] as const) {
    const found = text(key);
    if (found !== undefined) config[key] = found;
  }
  if (value['config'] !== undefined && value['config'] !== null) config.config = checkRuntimeDefaults(value['config']);
  const made = value['container_config'];
  if (typeof made === 'object' && made !== null) config.container_config = made as Record<string, unknown>;
  if (Array.isArray(value['history'])) config.history = value['history'].map((entry) => (entry ?? {}) as HistoryEntry);
  return config;
}
