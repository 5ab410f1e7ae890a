import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DockerfileFault, parse } from '../../dockerfile/index.ts';
import type { ImageConfig } from '../../oci/index.ts';
import { Fault } from '../../std/index.ts';
import { settledConfig } from './container-config.ts';
import type { ImageResolver, PlanOptions } from './options.ts';
import { type Plan, planBuild } from './plan.ts';

const platform = { os: 'linux', architecture: 'amd64' };
const base: ImageConfig = { ...platform, rootfs: { type: 'layers', diff_ids: [] }, history: [{ created_by: 'base' }] };
const resolve: ImageResolver = (reference) =>
  Promise.resolve({ reference: `${reference}@sha256:${'a'.repeat(64)}`, config: base });

function plan(text: string, options: Partial<PlanOptions> = {}, resolver = resolve): Promise<Plan> {
  return planBuild(parse(text), { platform, ...options }, resolver);
}

test('an image asked for by many stages is resolved once, and one that is not needed never', async () => {
  const asked: string[] = [];
  await plan(
    'FROM unused\nFROM a AS one\nFROM a AS two\nFROM scratch\nCOPY --from=one /x /\nCOPY --from=two /y /\nCOPY --from=a /z /\n',
    {},
    (reference, ...rest) => {
      asked.push(reference);
      return resolve(reference, ...rest);
    },
  );
  assert.deepEqual(asked, ['docker.io/library/a:latest']);
});

test('a step names its image by the digest it was resolved to', async () => {
  const { steps } = await plan('FROM a:1\nRUN x\n');
  assert.ok(steps[0]?.kind === 'image');
  assert.equal(steps[0].reference, `docker.io/library/a:1@sha256:${'a'.repeat(64)}`);
});

test('every step comes after those it needs, and its ids are its own', async () => {
  const { steps } = await plan(
    'FROM a AS s\nRUN 1\nFROM a\nCOPY --from=s /x /\nRUN --mount=from=s,target=/m 2\nCOPY y /\nWORKDIR /z\n',
  );
  const seen = new Set<string>(['scratch']);
  for (const step of steps) {
    const roots = 'root' in step ? [step.root] : [];
    const sources =
      step.kind === 'copy' ? step.sources.flatMap((source) => (source.kind === 'path' ? [source.from] : [])) : [];
    const mounts = step.kind === 'exec' ? step.mounts.flatMap((mount) => ('from' in mount ? [mount.from] : [])) : [];
    for (const id of [...roots, ...sources, ...mounts]) assert.ok(seen.has(id), `${step.id} needs ${id}`);
    assert.ok(!seen.has(step.id), `${step.id} twice`);
    seen.add(step.id);
  }
});

test('each instruction knows its step, for who counts instructions', async () => {
  const { stages } = await plan('FROM a AS Named\nENV a=b\nRUN x\nWORKDIR /\nCOPY y /\n');
  assert.equal(stages[0]!.text, 'FROM a AS Named');
  assert.deepEqual(
    stages[0]!.instructions.map(({ text, step }) => [text, step]),
    [
      ['ENV a=b', undefined],
      ['RUN x', '0.1'],
      ['WORKDIR /', undefined],
      ['COPY y /', '0.2'],
    ],
  );
});

test('what a resolver throws is told at the FROM that asked', async () => {
  const failing: ImageResolver = () => Promise.reject(new Fault('not-found', 'manifest unknown'));
  await assert.rejects(plan('FROM scratch AS x\nFROM nothere\n', {}, failing), (error) => {
    assert.ok(error instanceof DockerfileFault);
    assert.equal(error.message, 'nothere: manifest unknown');
    assert.equal(error.problems[0]!.range?.start.line, 2);
    return true;
  });
});

test('a plan that is not wanted any more ends with its signal’s reason', async () => {
  const controller = new AbortController();
  const waiting: ImageResolver = (_reference, _platform, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  const planned = planBuild(parse('FROM a\n'), { platform }, waiting, controller.signal);
  controller.abort(new Error('enough'));
  await assert.rejects(planned, /enough/);
});

test('build arguments that nobody declares are told; those that mean something by themselves are not', async () => {
  const buildArgs = new Map(
    ['USED', 'UNUSED', 'ELSEWHERE', 'HTTP_PROXY', 'TARGETARCH', 'BUILDKIT_SYNTAX', 'SOURCE_DATE_EPOCH'].map((name) => [
      name,
      '1',
    ]),
  );
  const { unusedBuildArgs, sourceDateEpoch } = await plan('FROM a AS other\nARG ELSEWHERE\nFROM a\nARG USED\n', {
    buildArgs,
  });
  assert.deepEqual(unusedBuildArgs, ['ELSEWHERE', 'UNUSED']);
  assert.equal(sourceDateEpoch, '1');
  assert.equal((await plan('ARG SOURCE_DATE_EPOCH=5\nFROM a\n')).sourceDateEpoch, '5');
});

test('a value cannot be made to fill the memory', async () => {
  const doubling = 'ENV A=$A$A\n'.repeat(40);
  await assert.rejects(plan(`FROM scratch\nENV A=${'x'.repeat(1000)}\n${doubling}`), DockerfileFault);
  const many = Array.from({ length: 40 }, (_, index) => `ENV B${index}=$A\n`).join('');
  await assert.rejects(plan(`FROM scratch\nENV A=${`${'x'.repeat(50_000)}\\\n`.repeat(10)}\n${many}`), {
    message: 'the environment is larger than 8 MiB',
  });
});

test('very many stages are planned without running out of stack', async () => {
  const chain = Array.from({ length: 3000 }, (_, index) => `FROM s${index} AS s${index + 1}\nENV a=${index}\n`).join(
    '',
  );
  const { image } = await plan(`FROM scratch AS s0\n${chain}`);
  assert.equal(image.history.length, 3000);
});

test('a configuration is the same bytes whatever the order it came in', () => {
  const config = settledConfig({
    WorkingDir: '/',
    Labels: { b: '1', a: '2' },
    Env: ['X=1'],
    User: 'u',
    Cmd: [],
    Volumes: {},
  });
  assert.equal(JSON.stringify(config), '{"User":"u","Env":["X=1"],"WorkingDir":"/","Labels":{"a":"2","b":"1"}}');
});
