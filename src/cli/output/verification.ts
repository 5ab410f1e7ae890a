/** What `system verify` says: what was looked at, what is wrong, what to do. */
import type { VerifyFinding, VerifySummary } from '../../api/index.ts';
import { humanSize } from '../../std/index.ts';
import { ellipsis } from './short.ts';
import { alignColumns } from './tabwriter.ts';

export interface VerificationOutcome {
  findings: readonly VerifyFinding[];
  notes: readonly string[];
  summary: VerifySummary;
  quick: boolean;
  repair: boolean;
}

/** @param columns of the terminal; undefined cuts nothing. */
export function verificationText(outcome: VerificationOutcome, columns: number | undefined): string {
  const { findings, notes, summary } = outcome;
  const parts = [`${checkedText(outcome)}\n`];
  for (const note of notes) parts.push(`Not checked: ${note}\n`);
  const mended = findings.filter(({ Repaired }) => Repaired);
  const open = findings.filter(({ Repaired }) => !Repaired);
  if (mended.length > 0)
    parts.push(
      `\nMended ${things(mended.length)}:\n`,
      table(mended, 'DONE', ({ Action }) => Action, columns),
    );
  if (open.length === 0) {
    parts.push(summary.Problems === 0 ? 'Everything is as it should be.\n' : '\nNow everything is as it should be.\n');
    return parts.join('');
  }
  parts.push(`\nFound ${things(open.length)}:\n`, table(open, 'DETAIL', detailText, columns));
  parts.push('\nWhat to do:\n', ...new Set(open.map((finding) => `  ${adviceText(finding)}\n`)));
  return parts.join('');
}

function checkedText({ summary, quick }: VerificationOutcome): string {
  const { Images, Blobs, BlobBytes, Layers, LayersCompared, Containers, Volumes, Networks } = summary;
  const counts = [
    count(Images, 'image'),
    `${count(Blobs, 'blob')} (${humanSize(BlobBytes, 3)})`,
    quick ? count(Layers, 'layer') : `${count(Layers, 'layer')} (${LayersCompared} compared with their archives)`,
    count(Containers, 'container'),
    count(Volumes, 'volume'),
    count(Networks, 'network'),
  ];
  return `Looked at ${counts.join(', ')}${quick ? '; contents were not read' : ''}.`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function things(number: number): string {
  return number === 1 ? 'one problem' : `${number} problems`;
}

function detailText({ Detail, Size }: VerifyFinding): string {
  return Size > 0 ? `${Detail} (${humanSize(Size, 3)})` : Detail;
}

/** Names the thing only where the advice does not. */
function adviceText({ Kind, Name, Action }: VerifyFinding): string {
  const named = Kind === 'file' || Action.includes(Name);
  return named ? Action : `${Kind} ${Name}: ${Action}`;
}

function table(
  findings: readonly VerifyFinding[],
  title: string,
  last: (finding: VerifyFinding) => string,
  columns: number | undefined,
): string {
  const rows = findings.map((finding) => {
    const what = finding.Kind === 'file' ? finding.Name : `${finding.Kind} ${finding.Name}`;
    return [finding.Problem, what, last(finding)];
  });
  const room = columns === undefined ? undefined : Math.max(20, columns - 14);
  // A path keeps its end, which tells more; what is left of the line is the detail's.
  const whats = rows.map(([, what = '']) => (room === undefined ? what : cutFront(what, Math.trunc(room * 0.45))));
  const width = Math.max(4, ...whats.map((what) => what.length)) + 3;
  const lines = rows.map(([problem = '', , detail = ''], index) => {
    const cut = room === undefined ? detail : ellipsis(detail, Math.max(10, room - width));
    return [problem, whats[index]!, cut];
  });
  return alignColumns(`${[['PROBLEM', 'WHAT', title], ...lines].map((cells) => cells.join('\t')).join('\n')}\n`);
}

function cutFront(text: string, length: number): string {
  const letters = Array.from(text);
  return letters.length <= length ? text : `…${letters.slice(1 - length).join('')}`;
}
