/** What the engine may ask of the cache. */
import type { Content } from '../content/index.ts';
import type { Registry } from '../registry/index.ts';
import type { Logger } from '../std/index.ts';
import type { Digest } from '../oci/index.ts';
import type { MirrorSettings } from './settings.ts';

export interface MirrorOptions {
  settings: MirrorSettings;
  /** A folder of its own, on the disk of `content`. */
  root: string;
  content: Content;
  /** Opens the client for upstreams; `headers` are for mirrors of those. */
  openRegistry: (headers: Readonly<Record<string, string>>) => Registry;
  log: Logger;
  now?: () => number;
  /** How long upstream is waited for where there is something to serve without it (5 s). */
  hurryMs?: number;
}

/** What the cache has of the disk. */
export interface MirrorUsage {
  /** Blobs and manifests it keeps; images may have the same ones. */
  blobs: { digest: Digest; size: number; usedAt: number }[];
  /** Files of transfers, under way or broken off. */
  parts: { path: string; size: number }[];
  maxBytes: number;
}

export interface Mirror extends AsyncDisposable {
  /** Begins to answer clients. An address that cannot be had yet is tried for again and again. */
  start(): Promise<void>;
  /** `http://192.168.1.10:5000`; undefined while the address cannot be had. */
  readonly url: string | undefined;
  /** What a person should know of it, one line each, as `info` shows. */
  notices(): string[];
  usage(): MirrorUsage;
  /** The disk is full: lets go of so many bytes, the least recently used first. @returns bytes let go; images may need them still */
  release(bytes: number): Promise<number>;
  /** For this machine's own pulls: they share transfers with clients, and names that anybody may ask for become known here. */
  throughCache(registry: Registry): Registry;
}
