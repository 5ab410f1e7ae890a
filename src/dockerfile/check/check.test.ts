import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PatternMatcher } from '../ignore/pattern-matcher.ts';
import { parse } from '../parse.ts';
import { check, type CheckContext, type CheckedImage } from './check.ts';
import { parseCheckOptions } from './options.ts';
import { rules } from './rules.ts';

const context: CheckContext = {
  platform: new Map([['TARGETPLATFORM', 'linux/amd64']]),
  buildArgs: new Map(),
  baseImage: () => ({ env: new Map([['FROM_BASE', '1']]), onbuild: [], hasShell: false }),
  isIgnored: () => false,
  isReference: (text) => text !== '',
  parsePlatform: () => undefined,
};

const found = (text: string, changes: Partial<CheckContext> = {}): string[] =>
  check(parse(text), { ...context, ...changes }).findings.map(
    ({ rule, range }) => `${rule} ${range.start.line}:${range.start.column}`,
  );

test('findings are placed at the word they are about', () => {
  const text = 'FROM x AS Big\nWORKDIR rel\nENV a=$nope\nCOPY gone /\n';
  const options = parseCheckOptions('experimental=all');
  const ignore = new PatternMatcher(['gone']);
  assert.deepEqual(found(text, { options, isIgnored: (path) => ignore.matches(path) }), [
    'StageNameCasing 1:11',
    'WorkdirRelativePath 2:9',
    'UndefinedVar 3:7',
    'CopyIgnoredFile 4:6',
  ]);
});

test('what is copied from elsewhere is not looked for in the context', () => {
  const text = 'FROM x AS a\nFROM x\nCOPY --from=a f /\nADD https://h/f /\n';
  assert.deepEqual(found(text, { options: parseCheckOptions('experimental=all'), isIgnored: () => true }), []);
});

test('variables of the base image are defined; where it is not known nothing is called undefined', () => {
  const text = 'FROM x\nENV a=$FROM_BASE b=$OTHER\n';
  assert.deepEqual(found(text), ['UndefinedVar 2:20']);
  assert.deepEqual(found(text, { baseImage: () => undefined }), []);
});

test('a base image for another platform is told', () => {
  const mismatch = { expected: 'linux/amd64', actual: 'linux/arm64' };
  const baseImage = (): CheckedImage => ({ env: new Map(), onbuild: [], hasShell: false, mismatch });
  const [finding] = check(parse('FROM x\n'), { ...context, baseImage }).findings;
  assert.equal(
    finding?.detail,
    'Base image x was pulled with platform "linux/arm64", expected "linux/amd64" for current build',
  );
});

test('only the stages asked for are looked into', () => {
  const text = 'FROM x AS a\nENV b c\nFROM x\nENV d e\n';
  assert.deepEqual(found(text, { stages: new Set([1]) }), ['LegacyKeyValueFormat 4:1']);
});

test('a base image’s triggers are looked into, at the FROM that brought them', () => {
  const baseImage = (): CheckedImage => ({
    env: new Map(),
    onbuild: ['ENV T u', 'CMD x'],
    hasShell: true,
  });
  assert.deepEqual(found('FROM x\nENV v=$T\n', { baseImage }), ['LegacyKeyValueFormat 1:1']);
});

test('what makes the build fail stands beside the findings, of every stage', () => {
  const report = check(parse('FROM x\nENV a b\nENV c=${d\nFROM x\nWORKDIR ${e\n'), context);
  assert.deepEqual(
    report.problems.map(({ range }) => range?.start.line),
    [3, 5],
  );
  assert.deepEqual(
    report.findings.map(({ rule }) => rule),
    ['LegacyKeyValueFormat'],
  );
});

test('findings become a violation where the file says so', () => {
  const text = '# check=error=true\nFROM x\nENV a b\nCMD c\n';
  assert.equal(
    check(parse(text), context).violation,
    'lint violation found for rules: JSONArgsRecommended, LegacyKeyValueFormat',
  );
  assert.equal(
    check(parse(text), { ...context, options: parseCheckOptions('skip=all;error=true') }).violation,
    undefined,
  );
});

test('every rule has its words and its page', () => {
  for (const [name, { description, url, format }] of Object.entries(rules)) {
    assert.ok(description.length > 10, name);
    assert.ok(url === '' || url.startsWith('https://docs.docker.com/go/dockerfile/rule/'), name);
    assert.ok(format('one', 'two', 'three').length > 5, name);
  }
});
