/** What was asked for instead of a build, printed: checks as buildx prints them, the rest as the builder wrote it. */
import type { BuildAnswer, SourceRange } from '../../buildkit/index.ts';
import type { Call } from './call-flag.ts';
import { excerpt } from './excerpt.ts';

export interface AnswerText {
  out: string;
  err: string;
  code: number;
}

/** @param dockerfile the name that the user knows it by, for excerpts */
export function answerText(call: Call, { metadata }: BuildAnswer, dockerfile: string | undefined): AnswerText {
  const json = metadata.get('result.json') ?? '';
  const status = Number(metadata.get('result.statuscode') ?? 0);
  const code = call.ignoresStatus ? 0 : status;
  const checks = call.kind === 'lint' && json !== '' ? (JSON.parse(json) as LintResult) : undefined;
  const failure = checks?.buildError === undefined ? '' : failureText(checks, dockerfile);
  const text = checks === undefined ? (metadata.get('result.txt') ?? '') : checksText(checks, dockerfile);
  return {
    out: call.isJson ? `${json}\n` : text,
    err: failure === '' ? '' : `${!call.isJson && text !== '' ? '\n' : ''}${failure}`,
    code: failure === '' ? code : 1,
  };
}

/** buildkit, frontend/subrequests/lint */
interface LintResult {
  warnings?: {
    ruleName: string;
    description?: string;
    url?: string;
    detail?: string;
    location?: LintLocation;
  }[];
  sources?: { filename: string; data: string }[];
  buildError?: { message: string; location?: LintLocation };
}

interface LintLocation {
  sourceIndex?: number;
  ranges?: { start?: Partial<SourceRange['start']>; end?: Partial<SourceRange['end']> }[];
}

function checksText(result: LintResult, dockerfile: string | undefined): string {
  const warnings = [...(result.warnings ?? [])].sort((a, b) => lineOf(a.location) - lineOf(b.location));
  if (warnings.length === 0) return result.buildError === undefined ? 'Check complete, no warnings found.\n' : '';
  const count = warnings.length === 1 ? '1 warning has been found!' : `${warnings.length} warnings have been found!`;
  const texts = warnings.map(({ ruleName, url = '', detail, description, location }) => {
    const rule = `WARNING: ${ruleName}${url === '' ? '' : ` - ${url}`}`;
    return `\n${rule}\n${detail ?? description ?? ''}\n${excerptOf(result, location, dockerfile)}`;
  });
  return `Check complete, ${count}\n${texts.join('')}`;
}

function failureText(result: LintResult, dockerfile: string | undefined): string {
  const { message, location } = result.buildError!;
  return `ERROR: ${message}\n${excerptOf(result, location, dockerfile)}`;
}

function lineOf(location: LintLocation | undefined): number {
  return location?.ranges?.[0]?.start?.line ?? 0;
}

function excerptOf(
  { sources = [] }: LintResult,
  location: LintLocation | undefined,
  dockerfile: string | undefined,
): string {
  const source = sources[location?.sourceIndex ?? 0];
  if (source === undefined || location === undefined) return '';
  const place = (at: Partial<SourceRange['start']> = {}): SourceRange['start'] => ({
    line: at.line ?? 0,
    character: at.character ?? 0,
  });
  const ranges = (location.ranges ?? []).map(({ start, end }) => ({ start: place(start), end: place(end ?? start) }));
  const text = Buffer.from(source.data, 'base64').toString();
  return excerpt({ filename: dockerfile ?? source.filename, text }, ranges);
}
