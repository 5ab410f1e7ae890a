/**
 * The cases of `test/fixtures/dockerfile` whose images BuildKit built: the plan's image must be that one, field by field and in history, and
 * its errors BuildKit's. The cases of `test/fixtures/plan` hold a plan's text each.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { DockerfileFault, parse } from '../../dockerfile/index.ts';
import { type ImageConfig, parseDigest } from '../../oci/index.ts';
import { Fault } from '../../std/index.ts';
import type { PlanOptions } from './options.ts';
import { type Plan, planBuild } from './plan.ts';
import { printPlan } from './print.ts';

interface Recorded {
  readonly source: string;
  readonly args?: readonly string[];
  readonly error?: string;
  /** BuildKit found nothing wrong until it looked at files. */
  readonly failsWhenRun?: boolean;
  readonly author?: string;
  readonly config?: Record<string, unknown>;
  readonly history?: readonly [string, string][];
  readonly steps?: readonly string[];
}

const fixtures = resolve(import.meta.dirname, '../../../test/fixtures');
const platform = { os: 'linux', architecture: 'amd64' };

/** The base image the cases were recorded with, and some that ask for more. */
const images: Readonly<Record<string, Partial<ImageConfig>>> = {
  'docker.io/library/busybox:latest': {
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['sh'] },
    history: [{ created_by: 'the busybox of this host' }],
  },
  'docker.io/library/kept:latest': {
    author: 'somebody',
    config: { User: '1000', WorkingDir: '/app', Env: ['A=base'], Shell: ['/bin/ash', '-c'], Labels: { of: 'base' } },
    history: [{ created_by: 'kept' }],
  },
  'docker.io/library/triggers:latest': {
    config: { OnBuild: ['COPY --from=busybox /bin/sh /sh', 'RUN echo $A', 'WORKDIR /on'], Env: ['A=1'] },
    history: [{ created_by: 'triggers' }],
  },
};

function imageOf(reference: string): ImageConfig {
  const found = images[reference];
  if (found === undefined) throw new Fault('not-found', 'no such image');
  return {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [parseDigest(`sha256:${'a'.repeat(64)}`)] },
    ...found,
  };
}

function planOf(text: Uint8Array, args: readonly string[]): Promise<Plan> {
  return planBuild(parse(text), optionsOf(args), (reference) =>
    Promise.try(() => ({ reference, config: imageOf(reference) })),
  );
}

function optionsOf(args: readonly string[]): PlanOptions {
  const map = (flag: string): Map<string, string> =>
    new Map(
      args.flatMap((arg, index) => {
        if (arg !== flag) return [];
        const [key = '', ...value] = args[index + 1]!.split('=');
        return [[key, value.join('=')] as const];
      }),
    );
  const after = (flag: string): string | undefined => (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined);
  const target = after('--target');
  return {
    platform,
    buildArgs: map('--build-arg'),
    labels: map('--label'),
    contexts: map('--build-context'),
    ...(target === undefined ? {} : { target }),
    ...(args.includes('--no-cache') ? { noCache: 'all' as const } : {}),
    ...(after('--no-cache-filter') === undefined ? {} : { noCache: new Set(after('--no-cache-filter')!.split(',')) }),
    ...(args.includes('--network=none') ? { network: 'none' as const } : {}),
  };
}

for (const name of readdirSync(join(fixtures, 'dockerfile')).sort()) {
  const folder = join(fixtures, 'dockerfile', name);
  const recorded = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Recorded;
  if (!recorded.source.startsWith('recorded')) continue;
  // Whether findings are errors, and what the file's options say, is the check's to tell.
  if (recorded.error !== undefined && /^(?:lint violation|failed to parse check options)/.test(recorded.error))
    continue;
  if (recorded.failsWhenRun === true) continue;
  test(`image of ${name}`, async () => {
    const text = readFileSync(join(folder, 'Dockerfile'));
    if (recorded.error !== undefined) {
      await assert.rejects(planOf(text, recorded.args ?? []), (error) => {
        assert.ok(error instanceof DockerfileFault, String(error));
        assert.equal(error.message.trimEnd(), recorded.error);
        return true;
      });
      return;
    }
    compare(await planOf(text, recorded.args ?? []), recorded);
  });
}

function compare(plan: Plan, recorded: Recorded): void {
  assert.deepEqual(plan.image.config, recorded.config);
  assert.equal(plan.image.author, recorded.author);
  const history = plan.image.history.map(({ entry }) => [entry.empty_layer === true ? '-' : 'layer', entry.created_by]);
  assert.deepEqual(history, recorded.history);
  const shown = plan.steps
    .filter(({ kind }) => kind === 'exec' || kind === 'copy' || kind === 'mkdir')
    .map(({ name }) => name);
  // The reference was asked several things at once, and shows one name for a base image that two of them load.
  const steps = recorded.steps!.filter((step) => !/\] FROM |^\[context /.test(step));
  assert.deepEqual(shown.sort(), steps.toSorted());
}

const plans = existsSync(join(fixtures, 'plan')) ? readdirSync(join(fixtures, 'plan')).sort() : [];

test('there are enough plans to mean something', () => assert.ok(plans.length >= 40, `${plans.length} plans`));

for (const name of plans) {
  test(`plan ${name}`, async () => {
    const read = (file: string): string => readFileSync(join(fixtures, 'plan', name, file), 'utf8');
    const args = existsSync(join(fixtures, 'plan', name, 'args')) ? read('args').split('\n').filter(Boolean) : [];
    const text = Buffer.from(read('Dockerfile'));
    assert.equal(await planText(text, args), read('expected.txt'));
  });
}

async function planText(text: Uint8Array, args: readonly string[]): Promise<string> {
  try {
    return printPlan(await planOf(text, args));
  } catch (error) {
    if (error instanceof DockerfileFault) return error.report();
    throw error;
  }
}
