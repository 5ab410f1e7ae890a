/**
 * Archives that leave out what the other side has (`save --since`). They stay OCI layouts, which may lack blobs (image-spec "Image
 * Layout": those "should be fulfilled by an external blob store"); the annotation below on index.json says which image fulfils them.
 */
import { type Descriptor, type Digest, isDigest } from '../oci/index.ts';
import { shortId } from '../std/index.ts';

export const sinceAnnotation = 'io.wherry.archive.since';

/** An image that must be wherever the archive is loaded. */
export interface BaseImage {
  id: Digest;
  /** Familiar references, tags first. */
  names: string[];
  /** The blobs left out because this image has their content. */
  layers: Digest[];
}

interface Layered {
  layers: readonly Descriptor[];
  diffIds: readonly Digest[];
}

/** Which blobs of `images` some base has, each told once. Bases that share nothing are dropped. */
export function leaveOut(
  images: readonly Layered[],
  bases: readonly { id: Digest; names: string[]; diffIds: readonly Digest[] }[],
): BaseImage[] {
  const told = new Set<Digest>();
  const used: BaseImage[] = [];
  for (const { id, names, diffIds } of bases) {
    const has = new Set(diffIds);
    const layers: Digest[] = [];
    for (const image of images) {
      for (const [index, { digest }] of image.layers.entries()) {
        if (told.has(digest) || !has.has(image.diffIds[index]!)) continue;
        told.add(digest);
        layers.push(digest);
      }
    }
    if (layers.length > 0) used.push({ id, names, layers });
  }
  return used;
}

export function formatSince(bases: readonly BaseImage[]): string {
  return JSON.stringify(bases.map(({ id, names, layers }) => ({ id, names, layers })));
}

/** What the annotation says; nothing for one that is malformed, for it only serves a message. */
export function parseSince(text: string | undefined): BaseImage[] {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '[]');
  } catch {
    return [];
  }
  const strings = (list: unknown): string[] => (Array.isArray(list) ? list.map(String) : []);
  // They are shown: what is no reference may be an attempt on the terminal.
  const isName = (text: string): boolean => /^[\w./:@-]{1,400}$/.test(text);
  return (Array.isArray(value) ? value : []).flatMap((item: Partial<Record<keyof BaseImage, unknown>> | null) => {
    const id = item?.id;
    if (typeof id !== 'string' || !isDigest(id)) return [];
    return [{ id, names: strings(item?.names).filter(isName), layers: strings(item?.layers).filter(isDigest) }];
  });
}

/** Which images to get before the archive can be loaded, for the person who loads it. `missing` is what it calls the layers. */
export function missingBaseText(missing: readonly string[], bases: readonly BaseImage[]): string {
  const needed = bases.filter((base) => base.layers.some((digest) => missing.includes(digest)));
  if (needed.length === 0) return `layer "${missing[0]!}" is neither in the archive nor in an image here`;
  const list = needed.map(({ id, names }) => (names[0] === undefined ? id : `${names[0]} (${shortId(id)})`));
  const pull = needed.find(({ names }) => names.length > 0)?.names[0];
  const them = list.length === 1 ? 'it' : 'them';
  const advice = `Load ${them} first${pull === undefined ? '' : `, or try 'wherry pull ${pull}'`}`;
  const verb = list.length === 1 ? 'is' : 'are';
  return `it was saved without the layers of ${list.join(' and ')}, which ${verb} not here. ${advice}`;
}
