/**
 * Flags, declared as the text that help shows: one per line, as Go's pflag prints them. The type word decides how a value
 * is read; none means boolean. Lines without a flag continue the description above.
 */
export interface FlagSpec {
  readonly name: string;
  readonly short: string | undefined;
  /** '' for boolean. */
  readonly type: string;
  readonly description: string;
  /** From "(default x)", unquoted. */
  readonly initial: string | undefined;
  readonly hidden: boolean;
  /** Said on stderr when the flag is used. */
  readonly deprecated: string | undefined;
  /** The flag it is another name for. */
  readonly target: string;
}

const line = /^\s*(?:-(\w), )?--([\w-]+)(?: (\S+))?(?:\s{2,}(.*))?$/;

/** Parses a table. In hidden ones a description `=name` makes an alias and `!text` a deprecation. */
export function parseFlagTable(text: string, hidden = false): FlagSpec[] {
  const specs: { -readonly [K in keyof FlagSpec]: FlagSpec[K] }[] = [];
  for (const row of text.split('\n')) {
    const match = line.exec(row);
    const last = specs.at(-1);
    if (match !== null) {
      const [, short, name = '', type = '', description = ''] = match;
      specs.push({ name, short, type, description, initial: undefined, hidden, deprecated: undefined, target: name });
    } else if (row.trim() !== '' && last !== undefined) last.description += `\n${row.trim()}`;
  }
  for (const spec of specs) {
    spec.initial = /\(default ("?)([^()]*?)\1\)$/.exec(spec.description)?.[2];
    if (hidden && spec.description.startsWith('=')) spec.target = spec.description.slice(1);
    if (hidden && spec.description.startsWith('!')) spec.deprecated = spec.description.slice(1);
  }
  return specs;
}

const listTypes = new Set([
  'list',
  'map',
  'filter',
  'strings',
  'stringArray',
  'network',
  'mount',
  'ulimit',
  'gpu-request',
  'stringToString',
]);

/** Whether a flag may be given several times and keeps all its values. */
export function isRepeatable(spec: FlagSpec): boolean {
  return listTypes.has(spec.type);
}
