/**
 * One folder per case in `test/fixtures/dockerfile`. `expected.json` says where its expectations come from; those recorded from BuildKit
 * hold its errors and warnings (compared here) and its image (compared by `build/plan`).
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { check, type CheckContext } from './check/check.ts';
import { describeInstruction } from './fixture.ts';
import { parse } from './parse.ts';
import { platformVariables } from './scope/platform-variables.ts';

interface Expected {
  readonly source: string;
  /** As for `docker build`. */
  readonly args?: readonly string[];
  readonly error?: string;
  /** What `--check` alone complains of: it looks at stages that a build leaves out. */
  readonly checkError?: string;
  readonly warnings?: readonly { rule: string; detail: string; lines: number[] }[];
  readonly instructions?: readonly unknown[];
  readonly problems?: readonly string[];
}

const folder = resolve(import.meta.dirname, '../../test/fixtures/dockerfile');
const platform = { os: 'linux', architecture: 'amd64' };
const cases = readdirSync(folder).sort();

test('there are enough cases to mean something', () => assert.ok(cases.length >= 250, `${cases.length} cases`));

for (const name of cases) {
  test(`Dockerfile case ${name}`, () => {
    const text = readFileSync(join(folder, name, 'Dockerfile'));
    const expected = JSON.parse(readFileSync(join(folder, name, 'expected.json'), 'utf8')) as Expected;
    const file = parse(text);
    if (expected.instructions !== undefined) {
      assert.deepEqual(file.instructions.map(describeInstruction), expected.instructions);
    }
    if (expected.problems !== undefined) {
      assert.deepEqual(
        file.problems.map(({ message, range }) => `${range?.start.line ?? 0}:${range?.start.column ?? 0} ${message}`),
        expected.problems,
      );
    }
    if (expected.source.startsWith('recorded')) compare(file, expected);
  });
}

function compare(file: ReturnType<typeof parse>, expected: Expected): void {
  const report = check(file, contextOf(expected.args ?? [], file));
  const wanted = expected.checkError ?? expected.error;
  const [problem] = report.problems;
  // What only a plan can know is wrong (stages, signals, ports) is compared there.
  if (problem !== undefined) assert.equal(problem.message, wanted);
  else if (report.violation !== undefined) assert.equal(report.violation, wanted);
  if (file.problems.length > 0) return;
  const found = report.findings.map(({ rule, detail, lines }) => `${rule}: ${detail} (${lines.first}-${lines.last})`);
  const recorded = (expected.warnings ?? []).map(
    ({ rule, detail, lines }) => `${rule}: ${detail} (${lines[0]}-${lines.at(-1)})`,
  );
  assert.deepEqual(found.sort(), recorded.sort());
}

function contextOf(args: readonly string[], file: ReturnType<typeof parse>): CheckContext {
  const buildArgs = new Map<string, string>();
  for (const [index, arg] of args.entries()) {
    if (arg !== '--build-arg') continue;
    const [key = '', ...value] = args[index + 1]!.split('=');
    buildArgs.set(key, value.join('='));
  }
  const stage = file.stages.at(-1)?.name;
  return {
    platform: platformVariables({ target: platform, build: platform, stage, buildArgs }),
    buildArgs,
    baseImage: () => ({ env: new Map(), onbuild: [], hasShell: false }),
    isIgnored: () => false,
    isReference: (text) => /^[a-z0-9./_-]+(:[\w.-]+)?$/.test(text),
    parsePlatform: (text) => {
      const [os = '', architecture, ...more] = text.split('/');
      if (more.length > 1 || !/^[\w./-]+$/.test(text) || text.endsWith('/')) return undefined;
      if (architecture !== undefined) return { os, architecture };
      return { linux: { os, architecture: 'amd64' }, arm64: { os: 'linux', architecture: os } }[os];
    },
  };
}
