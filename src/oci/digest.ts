/** Content digests (OCI image-spec "Digests"): made only here, so inner code never re-checks them. */
import { createHash, type Hash } from 'node:crypto';
import { Fault } from '../std/index.ts';

declare const brand: unique symbol;
export type Digest = string & { readonly [brand]: 'Digest' };

const lengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** Reads `sha256:<64 hex>`. @throws Fault invalid in the words of go-digest */
export function parseDigest(text: string): Digest {
  const colon = text.indexOf(':');
  if (colon <= 0 || !/^[a-z0-9]+(?:[+._-][a-z0-9]+)*$/i.test(text.slice(0, colon)) || colon + 1 === text.length) {
    throw new Fault('invalid', 'invalid checksum digest format');
  }
  const length = lengths[text.slice(0, colon)];
  if (length === undefined) throw new Fault('invalid', 'unsupported digest algorithm');
  if (text.length - colon - 1 !== length) throw new Fault('invalid', 'invalid checksum digest length');
  if (!/^[a-f0-9]+$/.test(text.slice(colon + 1))) throw new Fault('invalid', 'invalid checksum digest format');
  return text as Digest;
}

export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(':');
  return lengths[text.slice(0, colon)] === text.length - colon - 1 && /^[a-z0-9]+:[a-f0-9]+$/.test(text);
}

export function digestAlgorithm(digest: Digest): string {
  return digest.slice(0, digest.indexOf(':'));
}

export function digestHex(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1);
}

export function sha256(data: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(data).digest('hex')}` as Digest;
}

/** A running hash whose end is a Digest. */
export class Digester {
  readonly #hash: Hash;
  readonly #algorithm: string;
  size = 0;

  constructor(algorithm = 'sha256') {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.#hash.update(chunk);
  }

  digest(): Digest {
    return `${this.#algorithm}:${this.#hash.digest('hex')}` as Digest;
  }
}
