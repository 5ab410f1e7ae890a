/** Dockerfiles and ignore files: read to their end whatever they say, every problem at a place in the file, patterns in bounded time. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import {
  BadPattern,
  check,
  compilePathPattern,
  expand,
  ExpansionError,
  parse,
  parseIgnoreFile,
  PatternMatcher,
  renderProblems,
} from '../../src/dockerfile/index.ts';
import { fuzzed, orFault, property } from '../support/fuzz.ts';

const fixtures = resolve(import.meta.dirname, '../fixtures');
const files = (folder: string, name: string): Buffer[] =>
  readdirSync(join(fixtures, folder)).flatMap((each) => {
    try {
      return [readFileSync(join(fixtures, folder, each, name))];
    } catch {
      return [];
    }
  });

const words = [
  'FROM ',
  'RUN ',
  'ARG ',
  'ONBUILD ',
  '<<EOF\n',
  '\nEOF\n',
  '<<-"E"',
  '\\\n',
  '# escape=`\n',
  '# syntax=x\n',
  '${a:-',
  '${a%%',
  '--mount=type=',
  ' AS ',
  '["',
  '"]',
  '\0',
  '\ufeff',
  '$$',
  '\r\n',
  '--from=',
  'HEALTHCHECK --interval=',
];

fuzzed('Dockerfiles', {
  corpus: files('dockerfile', 'Dockerfile'),
  words,
  slowestMs: 500,
  check: (bytes) => {
    const file = parse(bytes);
    for (const { range } of [...file.instructions, ...file.problems])
      if (range !== undefined)
        assert.ok(
          range.start.offset <= range.end.offset && range.end.offset <= bytes.length,
          'a place outside of the file',
        );
    renderProblems(file.source, file.problems.slice(0, 10), { color: false });
    check(file, {
      platform: new Map(),
      buildArgs: new Map(),
      baseImage: () => undefined,
      isIgnored: () => false,
      isReference: () => true,
      parsePlatform: () => undefined,
    });
  },
});

const paths = ['a', 'a/b/c', `${'a'.repeat(200)}/${'b/'.repeat(50)}c`, 'node_modules/x/.git'];

fuzzed('ignore files and patterns', {
  corpus: [
    '*\n!a\n**/x\n# c\n',
    'a/*/b\n[a-z]?\n!**/*.ts\n',
    '*a*a*a*a*a*b',
    '**/**/**/**/**/**/**/x',
    '[^a-z]',
    'a\\*',
  ],
  words: ['**', '*', '?', '[', ']', '!', '/', '\\', '[^', '-', '**/'],
  check: (bytes) => {
    const text = bytes.toString('utf8').slice(0, 2000);
    const matcher = orFault(() => new PatternMatcher(parseIgnoreFile(text)));
    for (const path of paths) matcher?.matches(path);
    try {
      const matches = compilePathPattern(text.split('\n')[0]!);
      for (const path of paths) matches(path);
    } catch (error) {
      if (!(error instanceof BadPattern)) throw error;
    }
  },
});

const variables = { get: (name: string) => (name.length < 3 ? 'value' : undefined) };

fuzzed('expansion', {
  corpus: [
    '$a ${b} ${c:-d} ${e:+f} ${g:?h} ${i#j} ${k%%l*} ${m/n/o} "$p" \'$q\' \\$r',
    '${a:-${b:-${c}}}',
    '${a#*a*a*a*a*a*b}',
  ],
  words: ['${', '}', ':-', '//', '#', '%', '*', '\\', '"'],
  check: (bytes) => {
    try {
      expand(bytes.toString('utf8').slice(0, 5000), variables);
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error;
    }
  },
});

property(
  'a pattern without marks matches itself and nothing else',
  fc.stringMatching(/^[a-z]{1,5}(?:\/[a-z]{1,5}){0,3}$/),
  (path) => {
    assert.ok(new PatternMatcher([path]).matches(path));
    assert.ok(new PatternMatcher([path]).matches(`${path}/below`));
    assert.ok(!new PatternMatcher([path]).matches(`x${path}`));
    assert.ok(compilePathPattern(path)(path));
  },
);
