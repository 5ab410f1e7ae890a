/** Command lines as pflag reads them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { UsageFault } from '../usage-fault.ts';
import { parseLine } from './parse.ts';
import { parseFlagTable } from './table.ts';
import { flagUsages } from './usages.ts';

const table = `
  -d, --detach          Run in the background
  -e, --env list        Set environment variables
      --init            Run an init
  -i, --interactive     Keep STDIN open
  -m, --memory bytes    Memory limit
  -n, --last int        Show n last (default -1)
  -p, --publish list    Publish ports
      --sig-proxy       Proxy signals (default true)
  -t, --tty             Allocate a TTY
      --subnet strings  Subnets
`;
const specs = [
  ...parseFlagTable(table),
  ...parseFlagTable('\n  --environment list   =env\n  --old   !it has no effect\n', true),
];
const parse = (words: readonly string[], interspersed = false) => parseLine(words, { specs, interspersed });

describe('pflag', () => {
  test('clusters, glued values, equals signs', () => {
    const { flags, args } = parse([
      '-itd',
      '-p8080:80',
      '-m=1g',
      '--init=false',
      '-e',
      '-x',
      '--env=A=b',
      'image',
      '-it',
      '--init',
    ]);
    assert.deepEqual(
      [flags.bool('interactive'), flags.bool('tty'), flags.bool('detach'), flags.bool('init')],
      [true, true, true, false],
    );
    assert.deepEqual(flags.list('publish'), ['8080:80']);
    assert.equal(flags.bytes('memory'), 1 << 30);
    assert.deepEqual(flags.list('env'), ['-x', 'A=b']);
    assert.deepEqual(args, ['image', '-it', '--init']);
  });

  test('a cluster may end with a value, or with the flag that takes the next word', () => {
    assert.deepEqual(parse(['-ite', 'A=1']).flags.list('env'), ['A=1']);
    assert.deepEqual(parse(['-iteA=1']).flags.list('env'), ['A=1']);
    assert.equal(parse(['-it=false']).flags.bool('tty'), false);
  });

  test('defaults, changes, other names, deprecations', () => {
    const { flags, notices } = parse(['--environment', 'A=1', '--old']);
    assert.deepEqual([flags.bool('sig-proxy'), flags.integer('last'), flags.changed('last')], [true, -1, false]);
    assert.deepEqual(flags.list('env'), ['A=1']);
    assert.deepEqual(notices, ['Flag --old has been deprecated, it has no effect']);
    assert.deepEqual(parse(['--subnet', 'a,b', '--subnet', 'c']).flags.list('subnet'), ['a', 'b', 'c']);
  });

  test('-- ends flags; interspersed flags are found behind arguments', () => {
    assert.deepEqual(parse(['--', '-d', 'x']).args, ['-d', 'x']);
    const { flags, args } = parse(['a', '-d', '--', '-i'], true);
    assert.deepEqual([flags.bool('detach'), flags.bool('interactive'), args], [true, false, ['a', '-i']]);
    assert.deepEqual(parse(['-', 'b'], true).args, ['-', 'b']);
  });

  const refusals: [string[], string][] = [
    [['--nope'], 'unknown flag: --nope'],
    [['-X'], "unknown shorthand flag: 'X' in -X"],
    [['-iX'], "unknown shorthand flag: 'X' in -X"],
    [['--env'], 'flag needs an argument: --env'],
    [['-e'], "flag needs an argument: 'e' in -e"],
    [['-n', 'x'], 'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax'],
    [
      ['--init=maybe'],
      'invalid argument "maybe" for "--init" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    [['-m', '1q'], 'invalid argument "1q" for "-m, --memory" flag: invalid suffix: \'q\''],
    [['--=x'], 'bad flag syntax: --=x'],
  ];
  for (const [words, message] of refusals) {
    test(`refuses ${words.join(' ')}`, () =>
      assert.throws(
        () => parse(words),
        (error: unknown) => error instanceof UsageFault && error.message === message && error.code === 125,
      ));
  }

  test('help is asked for with --help, and with -h where no flag has that letter', () => {
    assert.equal(parse(['--help']).help, true);
    assert.equal(parse(['-h']).help, true);
  });

  test('any words after the first argument are left alone', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (rest) => {
        assert.deepEqual(parse(['-d', 'image', ...rest]).args, ['image', ...rest]);
      }),
    );
  });

  test('any value reaches its flag, glued or not', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 2 }).filter((text) => !text.startsWith('=')),
        (value) => {
          assert.deepEqual(parse([`-e${value}`, '-e', value, `--env=${value}`, '--env', value]).flags.list('env'), [
            value,
            value,
            value,
            value,
          ]);
        },
      ),
    );
  });

  test('any words parse or are refused, and nothing else', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom('-it', '--env', '-m', '--', '-', '--init='))),
        fc.boolean(),
        (words, mixed) => {
          try {
            parse(words, mixed);
          } catch (error) {
            assert.ok(error instanceof UsageFault, String(error));
          }
        },
      ),
    );
  });

  test('usages are wrapped as pflag wraps them', () => {
    const text = flagUsages(
      parseFlagTable('  -l, --latest          Show the latest created container (includes all states)'),
      79,
    );
    assert.equal(text, '  -l, --latest   Show the latest created container (includes all states)\n');
    const narrow = flagUsages(parseFlagTable('  -l, --latest          Show the latest created container'), 50);
    assert.equal(narrow, '  -l, --latest   Show the latest created\n                 container\n');
  });
});
