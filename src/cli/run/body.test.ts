/** Bodies of POST /containers/create against those that the stock Docker 28 command line sent for the same words. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseLine } from '../flag/parse.ts';
import { parseFlagTable } from '../flag/table.ts';
import { restartUnhealthyAnnotation } from '../../api/index.ts';
import { containerBody } from './body.ts';
import { runChecks } from './checks.ts';
import { containerFlags, hiddenContainerFlags } from './flags.ts';

const folder = join(import.meta.dirname, 'fixtures');
const specs = [...parseFlagTable(containerFlags), ...parseFlagTable(hiddenContainerFlags, true)];

function bodyOf(words: readonly string[]) {
  const given = words.map((word) => (['e.env', 'l.lab', 's.json'].includes(word) ? join(folder, word) : word));
  const fixed = given.map((word) => word.replace(/^seccomp=s\.json$/, `seccomp=${join(folder, 's.json')}`));
  const { flags, args } = parseLine(fixed, { specs, interspersed: false, checks: runChecks });
  return containerBody(flags, args, { env: { FOO: 'foo', HOME: '/root' }, proxyEnvironment: [], cwd: '/cwd' });
}

/** Without nulls, zeros, empty texts and collections: to a daemon these say nothing. MacAddress moved to the endpoint in 1.44. */
function meaning(value: unknown, key = ''): unknown {
  if (value === null || value === undefined || value === '' || value === false) return undefined;
  if (value === 0 && key !== 'MemorySwappiness') return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((each) => meaning(each) ?? null);
  if (typeof value !== 'object') return value;
  const entries = Object.entries(value)
    .filter(([name]) => key !== '' || name !== 'MacAddress')
    .map(([name, each]) => [name, meaning(each, name)] as const)
    .filter(([, each]) => each !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

interface Recorded {
  args: string[];
  body: object;
}

describe('create bodies', () => {
  const recorded = JSON.parse(readFileSync(join(folder, 'create-bodies.json'), 'utf8')) as Recorded[];
  for (const { args, body } of recorded) {
    test(args.join(' '), () => assert.deepEqual(meaning(bodyOf(args)), meaning(body)));
  }

  test('the recording is there', () => assert.ok(recorded.length > 70));
});

describe('create refusals', () => {
  const refused = JSON.parse(readFileSync(join(folder, 'create-refusals.json'), 'utf8')) as {
    args: string[];
    error: string;
  }[];
  // Found by the program rather than by the flags.
  const elsewhere = (args: readonly string[]): boolean =>
    args.length === 0 || args.includes('--pull') || args.includes('nope');
  for (const { args, error } of refused.filter((each) => !elsewhere(each.args))) {
    test(args.join(' '), () => {
      const first = error.split('\n')[0]!.replace(/^wherry: /, '');
      assert.throws(() => bodyOf(args), { message: first });
    });
  }
});

describe('restart of unhealthy containers', () => {
  const annotation = (words: readonly string[]): unknown =>
    bodyOf([...words, 'busybox']).HostConfig?.Annotations?.[restartUnhealthyAnnotation];

  test('on with --restart always and unless-stopped, unless refused', () => {
    assert.equal(annotation(['--restart', 'always']), 'true');
    assert.equal(annotation(['--restart', 'unless-stopped']), 'true');
    assert.equal(annotation(['--restart', 'always', '--restart-unhealthy=false']), undefined);
    assert.equal(annotation(['--restart', 'on-failure']), undefined);
    assert.equal(annotation([]), undefined);
  });
});
