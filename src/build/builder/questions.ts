/** What a Dockerfile offers: its targets, and a target's arguments, secrets and caches (buildkit, frontend/subrequests). Pure. */
import type { BuildResult } from '../../api/index.ts';
import type { Dockerfile, Range } from '../../dockerfile/index.ts';
import type { Plan } from '../plan/plan.ts';
import type { ExecMount } from '../plan/step.ts';

type Answer = NonNullable<BuildResult['answer']>;

/** Every stage that has a name, and the last one. */
export function answerTargets(file: Dockerfile): Answer {
  const last = file.stages.at(-1);
  const targets = file.stages
    .filter((stage) => stage.name !== undefined || stage === last)
    .map((stage) => ({
      ...(stage.name === undefined ? {} : { name: stage.name }),
      ...described(commentOn(file, stage.from.range, stage.name)),
      ...(stage === last ? { default: true } : {}),
      base: stage.from.image.text,
      ...(stage.from.platform === undefined ? {} : { platform: stage.from.platform.text }),
      location: locationOf(stage.from.range),
    }));
  const rows = targets.map((one) => [
    `${one.name ?? ''}${one.default === true ? ' (default)' : ''}`.trim(),
    one.description ?? '',
  ]);
  return answer(table([['TARGET', 'DESCRIPTION'], ...rows]), { targets, sources: sourcesOf(file) });
}

/** What the target that was planned takes. */
export function answerOutline(file: Dockerfile, plan: Plan, buildArgs: ReadonlyMap<string, string>): Answer {
  const target = plan.stages.find(({ isTarget }) => isTarget);
  const stage = file.stages.find(({ index }) => index === target?.index);
  const stages = new Set(plan.stages.map(({ index }) => index));
  const args = argumentsOf(file, stages, buildArgs);
  const mounts = plan.steps.flatMap((step) => (step.kind === 'exec' ? step.mounts : []));
  const secrets = asked(mounts, 'secret');
  const ssh = asked(mounts, 'ssh');
  const cache = [...new Set(mounts.flatMap((mount) => (mount.type === 'cache' ? [mount.id] : [])))];
  const description = stage === undefined ? undefined : commentOn(file, stage.from.range, stage.name);
  const parts = [
    stage?.name === undefined ? '' : `TARGET: ${stage.name}\n`,
    description === undefined ? '' : `DESCRIPTION: ${description}\n`,
    section(
      ['BUILD ARG', 'VALUE', 'DESCRIPTION'],
      args.map((one) => [one.name, one.value ?? '', one.description ?? '']),
    ),
    section(
      ['SECRET', 'REQUIRED'],
      secrets.map(({ name, required }) => [name, String(required === true)]),
    ),
    section(
      ['SSH', 'REQUIRED'],
      ssh.map(({ name, required }) => [name, String(required === true)]),
    ),
    section(
      ['CACHE'],
      cache.map((id) => [id]),
    ),
  ];
  return answer(parts.filter((part) => part !== '').join('\n'), {
    ...(stage?.name === undefined ? {} : { name: stage.name }),
    ...described(description),
    ...(args.length === 0 ? {} : { args }),
    ...(secrets.length === 0 ? {} : { secrets }),
    ...(ssh.length === 0 ? {} : { ssh }),
    ...(cache.length === 0 ? {} : { cache: cache.map((ID) => ({ ID })) }),
    sources: sourcesOf(file),
  });
}

interface Argument {
  name: string;
  value?: string;
  description?: string;
  location: object;
}

/** Each once, where it is first declared. */
function argumentsOf(
  file: Dockerfile,
  stages: ReadonlySet<number>,
  buildArgs: ReadonlyMap<string, string>,
): Argument[] {
  const declared = [
    ...file.globalArgs,
    ...file.stages
      .filter(({ index }) => stages.has(index))
      .flatMap(({ instructions }) => instructions.filter((one) => one.kind === 'ARG')),
  ];
  const found = new Map<string, Argument>();
  for (const { args, range } of declared) {
    for (const { name, value } of args) {
      if (found.has(name.text)) continue;
      const shown = buildArgs.get(name.text) ?? value?.text;
      found.set(name.text, {
        name: name.text,
        ...(shown === undefined ? {} : { value: shown }),
        ...described(commentOn(file, range, name.text)),
        location: locationOf(range),
      });
    }
  }
  return [...found.values()];
}

function asked(mounts: readonly ExecMount[], type: 'secret' | 'ssh'): { name: string; required?: true }[] {
  const found = new Map<string, boolean>();
  for (const mount of mounts) {
    if (mount.type !== type) continue;
    found.set(mount.id, mount.required || found.get(mount.id) === true);
  }
  return [...found].map(([name, required]) => ({ name, ...(required ? { required } : {}) }));
}

/** `# NAME what it is`, in the comment lines right above. */
function commentOn({ source }: Dockerfile, range: Range, name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  const lines: string[] = [];
  for (let number = range.start.line - 1; number >= 1; number--) {
    const match = /^\s*#\s?(.*)$/.exec(source.lineText(number));
    if (match === null) break;
    lines.unshift(match[1]!.trim());
  }
  const text = lines.join(' ');
  return text.toLowerCase().startsWith(`${name.toLowerCase()} `) ? text.slice(name.length + 1).trim() : undefined;
}

function described(description: string | undefined): { description?: string } {
  return description === undefined || description === '' ? {} : { description };
}

function locationOf({ start, end }: Range): object {
  return { ranges: [{ start: { line: start.line }, end: { line: end.line } }] };
}

function sourcesOf({ source }: Dockerfile): string[] {
  return [Buffer.from(source.text).toString('base64')];
}

function answer(text: string, json: object): Answer {
  return { text, json: JSON.stringify(json), status: 0 };
}

function section(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? '' : table([head, ...rows]);
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]! + 3))
          .join('')
          .trimEnd()}\n`,
    )
    .join('');
}
