/**
 * Image references exactly as Docker's `distribution/reference` parses, normalises and prints them. A `Reference` is always
 * fully qualified; the familiar form is a rendering.
 */
import { Fault } from '../std/index.ts';
import { type Digest, isDigest, parseDigest } from './digest.ts';

declare const brand: unique symbol;
export interface Reference {
  readonly domain: string;
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
  readonly [brand]: 'Reference';
}

export const defaultDomain = 'docker.io';
const legacyDomain = 'index.docker.io';
const official = 'library/';
const pathLimit = 255;

const component = '[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*';
const remoteName = `${component}(?:/${component})*`;
const domainComponent = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const domain = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const tag = '[\\w][\\w.-]{0,127}';
const digest = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*[:][0-9a-fA-F]{32,}';
const referencePattern = new RegExp(`^((?:${domain}/)?${remoteName})(?::(${tag}))?(?:@(${digest}))?$`);
const namePattern = new RegExp(`^(?:(${domain})/)?(${remoteName})$`);
const tagPattern = new RegExp(`^${tag}$`);
const identifierPattern = /^[a-f0-9]{64}$/;

/** ParseNormalizedNamed. @throws Fault invalid with the library's text */
export function parseReference(text: string): Reference {
  if (identifierPattern.test(text)) {
    throw new Fault('invalid', `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const { domain, remainder } = splitDomain(text);
  const colon = remainder.indexOf(':');
  const remote = colon < 0 ? remainder : remainder.slice(0, colon);
  if (remote.toLowerCase() !== remote) {
    throw new Fault('invalid', `invalid reference format: repository name (${remote}) must be lowercase`);
  }
  return parseQualified(`${domain}/${remainder}`);
}

/** ParseAnyReference: also 64 hex characters and a bare digest, which name content and not a repository. */
export function parseAnyReference(text: string): Reference | Digest {
  if (identifierPattern.test(text)) return parseDigest(`sha256:${text}`);
  if (isDigest(text)) return text;
  return parseReference(text);
}

function splitDomain(name: string): { domain: string; remainder: string } {
  const slash = name.indexOf('/');
  if (slash < 0) return { domain: defaultDomain, remainder: official + name };
  const first = name.slice(0, slash);
  let domain = defaultDomain;
  let remainder = name;
  if (first === 'localhost' || /[.:]/.test(first) || first.toLowerCase() !== first) {
    domain = first === legacyDomain ? defaultDomain : first;
    remainder = name.slice(slash + 1);
  }
  if (domain === defaultDomain && !remainder.includes('/')) remainder = official + remainder;
  return { domain, remainder };
}

function parseQualified(text: string): Reference {
  const match = referencePattern.exec(text);
  if (match === null) {
    const lower = referencePattern.test(text.toLowerCase());
    throw new Fault(
      'invalid',
      lower ? 'invalid reference format: repository name must be lowercase' : 'invalid reference format',
    );
  }
  const name = namePattern.exec(match[1]!);
  const path = name?.[2] ?? match[1]!;
  if (path.length > pathLimit) {
    throw new Fault('invalid', `repository name must not be more than ${pathLimit} characters`);
  }
  return make(name?.[1] ?? '', path, match[2], match[3] === undefined ? undefined : parseDigest(match[3]));
}

function make(domain: string, path: string, tag: string | undefined, digest: Digest | undefined): Reference {
  return { domain, path, tag, digest } as Reference;
}

/** The fully qualified repository: `docker.io/library/busybox`. */
export function referenceName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The fully qualified text, with tag and digest where given. */
export function formatReference(reference: Reference): string {
  return referenceName(reference) + suffix(reference);
}

/** The short form people write: `busybox`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== defaultDomain) return referenceName(reference);
  const path = reference.path;
  const inLibrary = path.startsWith(official) && !path.slice(official.length).includes('/');
  return inLibrary ? path.slice(official.length) : path;
}

/** The short form with tag and digest: `busybox:latest`. */
export function familiarReference(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

function suffix(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return reference.digest === undefined ? tag : `${tag}@${reference.digest}`;
}

/** TagNameOnly: adds `:latest` when there is neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return make(reference.domain, reference.path, 'latest', undefined);
}

/** The same repository with this tag and no digest. @throws Fault invalid `invalid tag format` */
export function withTag(reference: Reference, tag: string): Reference {
  if (!tagPattern.test(tag)) throw new Fault('invalid', 'invalid tag format');
  return make(reference.domain, reference.path, tag, undefined);
}

/** The same repository with this digest and no tag. */
export function withDigest(reference: Reference, digest: Digest): Reference {
  return make(reference.domain, reference.path, undefined, digest);
}

/** The same repository with neither tag nor digest. */
export function trimReference(reference: Reference): Reference {
  return make(reference.domain, reference.path, undefined, undefined);
}
