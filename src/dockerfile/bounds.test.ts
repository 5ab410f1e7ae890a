/** Dockerfiles that are meant to take all memory, or for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { globalScope } from './scope/global-scope.ts';
import { parse } from './parse.ts';
import { StageScope } from './scope/stage-scope.ts';

const many = 100_000;

test('a line may have 65,535 bytes, comments and bodies too', () => {
  const longest = 65_535;
  const fits = `FROM x\nRUN ${'x'.repeat(longest - 4)}\n`;
  assert.deepEqual(parse(fits).problems, []);
  for (const line of [
    `RUN ${'x'.repeat(longest)}`,
    `#${'é'.repeat(longest / 2 + 1)}`,
    `RUN <<E\n${'x'.repeat(longest + 1)}\nE`,
  ]) {
    const [problem, ...more] = parse(`FROM x\n${line}\n`).problems;
    assert.match(problem!.message, /dockerfile line greater than max allowed size of 65535$/);
    assert.equal(more.length, 0);
  }
});

test('variables made of variables come to an end, before FROM and in a stage', () => {
  const doubled = Array.from({ length: 3000 }, (_, index) => `ARG v${index}=$a$a$a$a`).join('\n');
  const large = `ARG a=${'x'.repeat(60_000)}\n${doubled}\n`;
  const options = { platform: new Map<string, string>(), buildArgs: new Map<string, string>(), escape: '\\' as const };
  const message = 'its variables expand to more than 64 MiB';
  const global = parse(`${large}FROM x\n`);
  assert.throws(() => globalScope(global.globalArgs, options), { code: 'too-much-text', message });
  const file = parse(`FROM x\nARG a=${'x'.repeat(60_000)}\n${'LABEL l=$a$a$a$a\n'.repeat(400)}`);
  const scope = new StageScope({ ...options, global: globalScope([], options) }, new Map());
  const expander = scope.expander();
  const [arg, ...labels] = file.stages[0]!.instructions;
  assert.ok(arg?.kind === 'ARG');
  scope.declare(arg, expander);
  assert.throws(
    () => {
      for (const label of labels) if (label.kind === 'LABEL') for (const { value } of label.pairs) expander.word(value);
    },
    { code: 'too-much-text', message },
  );
});

test('many of everything are read', () => {
  const files = {
    comments: `${'# c\n'.repeat(many)}FROM x\n`,
    stages: 'FROM x\n'.repeat(many / 4),
    continuations: `FROM x\nRUN a \\\n${' b \\\n'.repeat(many)} c\n`,
    sources: `FROM x\nCOPY ${'a \\\n'.repeat(many)} /b/\n`,
    heredocs: `FROM x\n${'RUN <<E\nx\nE\n'.repeat(many / 4)}`,
    fields: `FROM x\nRUN --mount=type=cache,${'id=a,'.repeat(10_000)}target=/x a\n`,
  };
  for (const [what, text] of Object.entries(files)) assert.deepEqual(parse(text).problems, [], what);
});

test('an ONBUILD that keeps an ONBUILD is refused, however long the chain', () => {
  const [problem] = parse(`FROM x\n${'ONBUILD '.repeat(8000)}RUN x\n`).problems;
  assert.match(problem!.message, /Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed/);
});
