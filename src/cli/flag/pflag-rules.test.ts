import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { containerFlags, hiddenContainerFlags, runOnlyFlags } from '../run/flags.ts';
import { parseLine } from './parse.ts';
import { parseFlagTable } from './table.ts';

const specs = [
  ...parseFlagTable(containerFlags),
  ...parseFlagTable(runOnlyFlags),
  ...parseFlagTable(hiddenContainerFlags, true),
];
const parse = (...words: string[]) => parseLine(words, { specs, interspersed: false });

describe("pflag's rules on run's flags", () => {
  test('clusters, glued values, equals signs and false', () => {
    const { flags, args } = parse(
      '-itd',
      '-p8080:80',
      '-m=1g',
      '--init=false',
      '--rm',
      '-eA=1',
      '-e',
      'B',
      'busybox',
      '-c',
      '--x',
    );
    assert.deepEqual(
      [flags.bool('interactive'), flags.bool('tty'), flags.bool('detach'), flags.bool('init'), flags.bool('rm')],
      [true, true, true, false, true],
    );
    assert.deepEqual(
      [flags.list('publish'), flags.bytes('memory'), flags.list('env')],
      [['8080:80'], 1 << 30, ['A=1', 'B']],
    );
    assert.deepEqual(args, ['busybox', '-c', '--x']);
  });
  test('a lone dash and a double dash', () => {
    assert.deepEqual(parse('--', '--rm').args, ['--rm']);
    assert.deepEqual(parse('-', 'x').args, ['-', 'x']);
  });
  for (const [words, message] of [
    [['--bogus'], /unknown flag: --bogus/],
    [['-iZ'], /unknown shorthand flag: 'Z' in -Z/],
    [['--name'], /flag needs an argument: --name/],
    [['-p'], /flag needs an argument: 'p' in -p/],
    [['--init=maybe'], /invalid argument "maybe" for "--init" flag/],
    [['-m', 'lots'], /invalid argument "lots" for "-m, --memory" flag/],
  ] as const) {
    test(words.join(' '), () => assert.throws(() => parse(...words), message));
  }
  test('any words give a line or a complaint, never a crash; arguments after the first are untouched', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 8 }), { maxLength: 6 }), (words) => {
        try {
          parse(...words);
        } catch (error) {
          assert.equal((error as Error).name === 'TypeError', false);
        }
        assert.deepEqual(parse('--rm', 'image', ...words).args, ['image', ...words]);
      }),
    );
  });
});
