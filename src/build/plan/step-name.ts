/** Steps as progress shows them. */
import { expand, type Heredoc, type Mount, type Variables, type EscapeToken } from '../../dockerfile/index.ts';

/** Numbers a stage's steps: `[builder 2/5]`, `[2/5]` where it is the only stage. */
export class StepNames {
  readonly #label: string;
  readonly #total: number;
  #count = 0;

  constructor(label: string, total: number) {
    this.#label = label;
    this.#total = total;
  }

  next(text: string, { isTrigger = false }: { isTrigger?: boolean } = {}): string {
    if (this.#total === 0) return text;
    this.#count++;
    const width = String(this.#total).length;
    const label = this.#label === '' ? '' : `${this.#label} `;
    const number = String(this.#count).padStart(width);
    return `[${label}${number}/${this.#total}] ${isTrigger ? 'ONBUILD ' : ''}${text}`;
  }
}

/** WORKDIR, COPY and ADD, with the values their variables have. */
export function instructionText(original: string, variables: Variables, escape: EscapeToken): string {
  return upperKeyword(expandOrKeep(original, variables, { escape }));
}

/** RUN: quotes stay, what is unset stays, and what a secret brings is not shown. */
export function runText(
  original: string,
  options: { variables: Variables; escape: EscapeToken; mounts: readonly Mount[]; summarized: Heredoc | undefined },
): string {
  const masked = new Set(
    options.mounts.flatMap(({ type, env }) => (type === 'secret' && env !== undefined ? [env] : [])),
  );
  const variables: Variables = { get: (name) => (masked.has(name) ? '****' : options.variables.get(name)) };
  const summary = options.summarized === undefined ? '' : ` (${summarize(options.summarized.content)})`;
  const { escape } = options;
  return upperKeyword(expandOrKeep(original + summary, variables, { escape, rawQuotes: true, keepUnset: true }));
}

function summarize(content: string): string {
  const [first = '', ...more] = content.trim().replaceAll('\r\n', '\n').split('\n');
  return more.length > 0 ? `${first}...` : first;
}

/** Longer ones are nothing that anybody reads: they stay as they were written. */
const longest = 16 << 10;

function expandOrKeep(text: string, variables: Variables, options: Parameters<typeof expand>[2]): string {
  try {
    const expanded = expand(text, variables, options).text;
    return expanded.length > longest ? text : expanded;
  } catch {
    return text;
  }
}

function upperKeyword(text: string): string {
  return text.replace(/^[^ ]*/, (keyword) => keyword.toUpperCase());
}
