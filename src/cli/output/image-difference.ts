/**
 * `image diff` for people: lines as they come, with a heading where a section begins. A directory that came or went whole is one line
 * with what it holds, unless every file is wanted.
 */
import type { ImageDifference } from '../../api/index.ts';
import { humanSize } from '../../std/index.ts';
import { printable } from './printable.ts';
import { shortId } from './short.ts';

type Line<K extends ImageDifference['Kind']> = Extract<ImageDifference, { Kind: K }>;

const headings = { config: 'Configuration', package: 'Packages', file: 'Files' } as const;

export class DifferencePrinter {
  readonly #write: (text: string) => void;
  readonly #everyFile: boolean;
  #section = '';
  /** The directory that is being added or removed whole. */
  #whole: { path: string; change: string; files: number; size: number } | undefined;

  constructor(write: (text: string) => void, options: { everyFile: boolean }) {
    this.#write = write;
    this.#everyFile = options.everyFile;
  }

  show(line: ImageDifference): void {
    switch (line.Kind) {
      case 'images':
        this.#write(imagesText(line));
        return;
      case 'config':
        this.#begin('config');
        this.#write(`  ${changed(printable(line.Key), valueOf(line.From), valueOf(line.To))}\n`);
        return;
      case 'package':
        this.#begin('package');
        this.#write(`  ${changed(printable(line.Name), valueOf(line.From), valueOf(line.To))}\n`);
        return;
      case 'file':
        this.#begin('file');
        this.#file(line);
        return;
      case 'summary':
        this.#endWhole();
        this.#write(summaryText(line));
        return;
      default:
        return;
    }
  }

  #begin(section: keyof typeof headings): void {
    if (this.#section === section) return;
    this.#section = section;
    this.#write(`\n${headings[section]}:\n`);
  }

  #file(line: Line<'file'>): void {
    const whole = this.#whole;
    if (whole !== undefined && line.Change === whole.change && line.Path.startsWith(`${whole.path}/`)) {
      const { Type, Size } = (line.To ?? line.From)!;
      if (Type !== 'directory') whole.files++;
      whole.size += Size;
      return;
    }
    this.#endWhole();
    const { Path, Change, From, To } = line;
    const state = (To ?? From)!;
    if (!this.#everyFile && Change !== 'changed' && state.Type === 'directory') {
      this.#whole = { path: Path, change: Change, files: 0, size: 0 };
      return;
    }
    const mark = { added: 'A', removed: 'D', changed: 'C' }[Change];
    const slash = state.Type === 'directory' ? '/' : '';
    const detail = Change === 'changed' ? changesText(line) : stateText(state);
    this.#write(`  ${mark} ${printable(Path)}${slash}${detail === '' ? '' : `  ${detail}`}\n`);
  }

  #endWhole(): void {
    const whole = this.#whole;
    this.#whole = undefined;
    if (whole === undefined) return;
    const files = whole.files === 1 ? '1 file' : `${whole.files} files`;
    const held = whole.files === 0 ? '' : `  ${files}, ${humanSize(whole.size, 3)}`;
    this.#write(`  ${whole.change === 'added' ? 'A' : 'D'} ${printable(whole.path)}/${held}\n`);
  }
}

function imagesText({ From, To, SharedLayers }: Line<'images'>): string {
  const text = ({ Name, Id, Size, Layers }: Line<'images'>['From']): string =>
    `${printable(Name)}  ${shortId(Id)}  ${humanSize(Size, 3)} in ${Layers === 1 ? '1 layer' : `${Layers} layers`}`;
  return `--- ${text(From)}\n+++ ${text(To)}, ${SharedLayers} of them shared\n`;
}

/** `+ name value`, `- name value`, `~ name old → new`. */
function changed(name: string, from: string | undefined, to: string | undefined): string {
  if (from === undefined) return `+ ${name} ${to}`.trimEnd();
  if (to === undefined) return `- ${name} ${from}`.trimEnd();
  return `~ ${name} ${from === '' ? '""' : from} → ${to === '' ? '""' : to}`;
}

function valueOf(value: string | null): string | undefined {
  return value === null ? undefined : printable(value);
}

function stateText({ Type, Size, Target }: NonNullable<Line<'file'>['To']>): string {
  if (Type === 'file') return humanSize(Size, 3);
  if (Type === 'symlink') return `→ ${printable(Target ?? '')}`;
  return Type === 'directory' ? '' : Type;
}

function changesText({ Fields = [], From, To }: Line<'file'>): string {
  return Fields.map((field) => {
    if (From === undefined || To === undefined) return field;
    if (field === 'type') return `${From.Type} → ${To.Type}`;
    if (field === 'mode') return `mode ${From.Mode} → ${To.Mode}`;
    if (field === 'owner') return `owner ${From.Uid}:${From.Gid} → ${To.Uid}:${To.Gid}`;
    if (field === 'target') return `${printable(From.Target ?? '')} → ${printable(To.Target ?? '')}`;
    if (field === 'content' && From.Size !== To.Size) return `${humanSize(From.Size, 3)} → ${humanSize(To.Size, 3)}`;
    return field;
  }).join(', ');
}

function summaryText(summary: Line<'summary'>): string {
  const { Config, Packages, Added, Removed, Changed, AddedSize, RemovedSize } = summary;
  const files = Added + Removed + Changed;
  if (Config + Packages + files === 0) return '\nNo difference in configuration, packages or files.\n';
  const parts = [
    ...(Config === 0 ? [] : [`${Config} ${Config === 1 ? 'setting' : 'settings'}`]),
    ...(Packages === 0 ? [] : [`${Packages} ${Packages === 1 ? 'package' : 'packages'}`]),
    ...(files === 0
      ? []
      : [`${Added} ${Added === 1 ? 'file' : 'files'} added, ${Removed} removed, ${Changed} changed`]),
  ];
  const growth = AddedSize - RemovedSize;
  const size = growth === 0 ? '' : `; ${humanSize(Math.abs(growth), 3)} ${growth > 0 ? 'more' : 'less'}`;
  return `\nDifferent: ${parts.join(', ')}${size}\n`;
}
