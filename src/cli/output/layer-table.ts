/** `history --layers`: what each layer takes, where it came from, and who else stands on it. */
import type { ImageLayer } from '../../api/index.ts';
import { humanSize } from '../../std/index.ts';
import { fitTable } from './fit-table.ts';
import type { Row } from './list.ts';
import { printable } from './printable.ts';
import { shortId } from './short.ts';

export interface LayerRules {
  human: boolean;
  full: boolean;
}

const columns = ['Layer', 'DiffID', 'Size', 'Stored', 'From', 'SharedWith', 'CreatedBy'] as const;
export const layerHeaders: Readonly<Record<(typeof columns)[number], string>> = {
  Layer: 'LAYER',
  DiffID: 'DIFF ID',
  Size: 'SIZE',
  Stored: 'STORED',
  From: 'FROM',
  SharedWith: 'SHARED WITH',
  CreatedBy: 'CREATED BY',
};

/** The topmost first, as history is. */
export function layerRows(layers: readonly ImageLayer[], { human, full }: LayerRules): Row[] {
  const id = (digest: string): string => (full ? digest : shortId(digest));
  const size = (bytes: number): string => (human ? humanSize(bytes, 3) : String(bytes));
  return layers.toReversed().map((layer) => ({
    Layer: id(layer.Digest),
    DiffID: id(layer.DiffId),
    Size: size(layer.Size),
    Stored: layer.StoredSize === 0 ? 'not here' : size(layer.StoredSize),
    From: sourceOf(layer),
    SharedWith: layer.SharedWith.join(', '),
    CreatedBy: printable(layer.CreatedBy.replaceAll(/\s+/g, ' ')),
    MediaType: layer.MediaType,
    Created: layer.Created,
    Origin: layer.Origin,
    Repositories: layer.Repositories.join(', '),
  }));
}

/** "debian:12 (docker.io/library/debian)": the image it came with, and from where that came. */
function sourceOf({ From, Repositories, Origin }: ImageLayer): string {
  if (Origin === 'registry') return `${From.Name} (${Repositories.join(', ')})`;
  const how = { load: 'loaded', import: 'imported', commit: 'committed here', build: 'built here', unknown: '' }[
    Origin
  ];
  return how === '' ? From.Name : `${From.Name} (${how})`;
}

export function layerTable(layers: readonly ImageLayer[], rules: LayerRules, width: number | undefined): string {
  const rows = layerRows(layers, rules).map((row) => columns.map((column) => String(row[column])));
  const sum = (of: (layer: ImageLayer) => number): string =>
    humanSize(
      layers.reduce((total, each) => total + of(each), 0),
      3,
    );
  const shared = sum((layer) => (layer.SharedWith.length > 0 ? layer.Size : 0));
  const count = layers.length === 1 ? '1 layer' : `${layers.length} layers`;
  return `${fitTable([columns.map((column) => layerHeaders[column]), ...rows], width, [4, 5, 6])}
${count}: ${sum((layer) => layer.Size)} unpacked, ${sum((layer) => layer.StoredSize)} stored; ${shared} of it shared with other images\n`;
}
