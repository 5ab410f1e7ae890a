/** A compose file's YAML: values as trees, what `!reset` and `!override` mark, and where each value stands. */
import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isMap as isMapNode,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseAllDocuments,
  type ScalarTag,
  type Scalar,
} from 'yaml';
import { renderExcerpt, SourceText } from '../../dockerfile/index.ts';
import { Fault } from '../../std/index.ts';
import { emptyMap, type Path, pathText, type Tree, type TreeMap } from '../tree.ts';

/** One document of a file; most files are one. */
export interface YamlDocument {
  value: Tree;
  /** What an earlier file said here does not count. */
  resets: Path[];
}

/** An alias that stands for an alias that stands for …: more values than any project has. */
const mostValues = 2_000_000;
/** Values in values, aliases followed. */
const deepest = 500;
const tooDeep = 'values are nested too deeply';

export class SourceFile {
  /** Absolute; `-` for standard input. */
  readonly path: string;
  /** As people gave it. */
  readonly name: string;
  readonly #text: string;
  #documents: Document.Parsed[] | undefined;
  #source: SourceText | undefined;

  constructor(path: string, name: string, text: string) {
    this.path = path;
    this.name = name;
    // A tab at a line's end is what editors leave, and no reason to refuse it.
    // Only from where spaces begin: tried from each of them, a long row would take its length squared.
    this.#text = text.replaceAll(/(?<![ \t])[ \t]+$/gm, trailing);
  }

  /** @throws Fault invalid with every syntax error's place */
  documents(): YamlDocument[] {
    return this.#parsed().map((document) => new Conversion(document, this).document());
  }

  /** An error at a value, or at a key where the path ends with one that is not known. */
  fault(path: Path, message: string, options: { key?: boolean } = {}): Fault {
    for (const document of this.#parsed().toReversed()) {
      const range = rangeOf(document, path, options.key === true);
      if (range !== undefined) return this.faultAt(range, message);
    }
    return new Fault('invalid', `${this.name}: ${message}`);
  }

  /** Whether the file itself says something there, and not only another one. */
  has(path: Path): boolean {
    return this.#parsed().some((document) => rangeOf(document, path, false) !== undefined);
  }

  faultAt([start, end]: readonly [number, number], message: string): Fault {
    this.#source ??= new SourceText(this.name, this.#text);
    const place = this.#source.position(start);
    const range = this.#source.range(start, Math.max(start, Math.min(end, lineEnd(this.#text, start))));
    return new Fault(
      'invalid',
      `${this.name}:${place.line}:${place.column}: ${message}\n${renderExcerpt(this.#source, range)}`.trimEnd(),
    );
  }

  #parsed(): Document.Parsed[] {
    if (this.#documents !== undefined) return this.#documents;
    const documents = parseAllDocuments(this.#text, {
      merge: true,
      uniqueKeys: true,
      prettyErrors: false,
      strict: true,
      logLevel: 'error',
      schema: 'core',
      customTags: (tags) => [...tags.filter((tag) => typeof tag === 'string' || !replaced.has(tag.tag)), ...ownTags],
    });
    const parsed = Array.isArray(documents) ? documents : [];
    const errors = parsed.flatMap((document) => document.errors);
    if (errors.length > 0) {
      const faults = errors.slice(0, 10).map(({ pos, message }) => {
        const isDeep = message.startsWith('Maximum call stack');
        return this.faultAt(pos, isDeep ? tooDeep : `yaml: ${message}`).message;
      });
      throw new Fault('invalid', faults.join('\n'));
    }
    this.#documents = parsed;
    return parsed;
  }
}

function trailing(spaces: string): string {
  return spaces.includes('\t') ? ' '.repeat(spaces.length) : spaces;
}

function lineEnd(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  return end < 0 ? text.length : end;
}

const replaced: ReadonlySet<string> = new Set(['tag:yaml.org,2002:int']);

/** Integers as Go's yaml.v3 reads them: YAML 1.1's octal, hexadecimal, binary and underscores; large ones keep every digit. */
const integer: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  identify: (value) => typeof value === 'bigint' || Number.isInteger(value),
  test: /^[-+]?(?:0b[01_]+|0o[0-7_]+|0x[\da-fA-F_]+|0[0-7_]+|[1-9][\d_]*|0)$/,
  resolve: (text) => {
    const digits = text.replaceAll('_', '').replace(/^[-+]/, '');
    const value = BigInt(/^0\d/.test(digits) ? `0o${digits.slice(1)}` : digits);
    const signed = text.startsWith('-') ? -value : value;
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  },
};

/** They mark; what they are on stays what it is. */
const ownTags: ScalarTag[] = [
  integer,
  ...['!reset', '!override'].map((tag): ScalarTag => ({ tag, resolve: (text) => text })),
];

/** One document's nodes to values. */
class Conversion {
  readonly #document: Document.Parsed;
  readonly #file: SourceFile;
  readonly #resets: Path[] = [];
  readonly #open: Node[] = [];
  #targets: ReadonlyMap<Alias, Node> | undefined;
  #count = 0;

  constructor(document: Document.Parsed, file: SourceFile) {
    this.#document = document;
    this.#file = file;
  }

  document(): YamlDocument {
    const value = this.#value(this.#document.contents, []) ?? null;
    return { value, resets: this.#resets };
  }

  /** Undefined where `!reset` takes it away. */
  #value(node: Node | null | undefined, path: Path): Tree | undefined {
    if (++this.#count > mostValues) throw this.#fault(node, 'too many values: aliases of aliases of aliases');
    if (node === null || node === undefined) return null;
    if (isAlias(node)) return this.#value(this.#target(node), path);
    if (node.tag === '!reset') {
      this.#resets.push(path);
      return undefined;
    }
    if (node.tag === '!override') this.#resets.push(path);
    if (isScalar(node)) return this.#scalar(node);
    if (this.#open.includes(node)) throw this.#fault(node, `anchor ${JSON.stringify(node.anchor)} contains itself`);
    if (this.#open.length >= deepest) throw this.#fault(node, tooDeep);
    this.#open.push(node);
    const value = isSeq(node)
      ? node.items.flatMap((item, index) => this.#value(item as Node, [...path, index]) ?? [])
      : isMapNode(node)
        ? this.#map(node.items as Pair<Node, Node>[], path)
        : null;
    this.#open.pop();
    return value;
  }

  #map(pairs: readonly Pair<Node, Node | null>[], path: Path): TreeMap {
    const map = emptyMap();
    for (const { key, value } of pairs) if (isMerge(key)) this.#merge(map, value, path);
    for (const { key, value } of pairs) {
      if (isMerge(key)) continue;
      const name = this.#key(key, path);
      const converted = this.#value(value, [...path, name]);
      if (converted === undefined) delete map[name];
      else map[name] = converted;
    }
    return map;
  }

  /** `<<`: the first of several wins, and the map's own keys win over all. */
  #merge(map: TreeMap, source: Node | null, path: Path): void {
    const node = isAlias(source) ? this.#target(source) : source;
    const sources = isSeq(node) ? (node.items as Node[]) : [node];
    for (const each of sources) {
      const found = isAlias(each) ? this.#target(each) : each;
      if (!isMapNode(found)) throw this.#fault(source, 'map merge requires map or sequence of maps as the value');
      for (const [key, value] of Object.entries(this.#map(found.items as Pair<Node, Node>[], path)))
        if (!(key in map)) map[key] = value;
    }
  }

  #target(alias: Alias): Node {
    this.#targets ??= aliasTargets(this.#document);
    const node = this.#targets.get(alias);
    if (node === undefined) throw this.#fault(alias, `unknown anchor '${alias.source}' referenced`);
    return node;
  }

  #key(node: Node, path: Path): string {
    const key: Node = isAlias(node) ? this.#target(node) : node;
    if (isScalar(key) && typeof key.value === 'string') return key.value;
    const where = path.length === 0 ? 'at top level' : `in ${pathText(path)}`;
    throw this.#fault(
      node,
      `non-string key ${where}: ${isScalar(key) ? String(key.source ?? key.value) : 'a collection'}`,
    );
  }

  #scalar(node: Scalar): Tree {
    const { value } = node;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
    return typeof value === 'bigint' ? value : null;
  }

  #fault(node: Node | null | undefined, message: string): Fault {
    const range = node?.range ?? [0, 0, 0];
    return this.#file.faultAt([range[0], range[1]], message);
  }
}

/** What each alias stands for: the last node before it with that anchor. In one walk; the library walks the document for each. */
function aliasTargets(document: Document.Parsed): ReadonlyMap<Alias, Node> {
  const targets = new Map<Alias, Node>();
  const anchors = new Map<string, Node>();
  const walk = (node: unknown): void => {
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target !== undefined) targets.set(node, target);
      return;
    }
    if (!isNode(node)) return;
    if ((isScalar(node) || isCollection(node)) && node.anchor !== undefined) anchors.set(node.anchor, node);
    if (isSeq(node)) node.items.forEach(walk);
    else if (isMapNode(node))
      for (const { key, value } of node.items) {
        walk(key);
        walk(value);
      }
  };
  walk(document.contents);
  return targets;
}

function isMerge(key: Node): boolean {
  return isScalar(key) && key.source === '<<' && key.type === 'PLAIN';
}

/** Offsets of the value at a path, or of its key. */
function rangeOf(document: Document.Parsed, path: Path, key: boolean): [number, number] | undefined {
  let node: Node | null | undefined = document.contents;
  let found: Node | null | undefined = node;
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    const pair: Pair<Node, Node | null> | undefined = isMapNode(node)
      ? pairOf(document, node.items as Pair<Node, Node>[], part)
      : undefined;
    if (pair !== undefined) {
      found =
        (key && depth === path.length - 1) || pair.value === null || pair.value.range === undefined
          ? pair.key
          : pair.value;
      node = pair.value;
    } else if (isSeq(node) && typeof part === 'number') {
      node = node.items[part] as Node | undefined;
      found = node;
    } else return undefined;
  }
  return found?.range === undefined || found?.range === null ? undefined : [found.range[0], found.range[1]];
}

function pairOf(
  document: Document.Parsed,
  pairs: readonly Pair<Node, Node | null>[],
  part: string | number,
): Pair<Node, Node | null> | undefined {
  const own = pairs.find(({ key }) => isScalar(key) && String(key.value) === String(part));
  if (own !== undefined) return own;
  for (const { key, value } of pairs) {
    if (!isMerge(key) || value === null) continue;
    const node = isAlias(value) ? value.resolve(document) : value;
    for (const each of isSeq(node) ? (node.items as Node[]) : [node]) {
      const source = isAlias(each) ? each.resolve(document) : each;
      const found = isMapNode(source) ? pairOf(document, source.items as Pair<Node, Node>[], part) : undefined;
      if (found !== undefined) return found;
    }
  }
  return undefined;
}
