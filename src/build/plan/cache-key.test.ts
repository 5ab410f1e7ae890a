import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from '../../dockerfile/index.ts';
import { type Digest, parseDigest, sha256 } from '../../oci/index.ts';
import { sourceKey, stepKey } from './cache-key.ts';
import { planBuild } from './plan.ts';
import type { PlanOptions } from './options.ts';
import { inputsOf, type Step } from './step.ts';

const platform = { os: 'linux', architecture: 'amd64' };

/** The key of the result, when sources resolve to what `content` says and each step's result is known by its key. */
async function keyOf(
  text: string,
  options: Partial<PlanOptions> = {},
  content: (path: string) => string = String,
): Promise<Digest> {
  const plan = await planBuild(parse(text), { platform, ...options }, (reference) =>
    Promise.resolve({
      reference,
      config: {
        ...platform,
        rootfs: { type: 'layers' as const, diff_ids: [parseDigest(`sha256:${'0'.repeat(64)}`)] },
        config: { Env: ['PATH=/bin'] },
      },
    }),
  );
  const keys = new Map<string, Digest>();
  for (const step of plan.steps) keys.set(step.id, stepDigest(step, keys, content));
  return keys.get(plan.root)!;
}

function stepDigest(step: Step, keys: ReadonlyMap<string, Digest>, content: (path: string) => string): Digest {
  if (step.kind === 'image' || step.kind === 'local' || step.kind === 'http' || step.kind === 'git')
    return sourceKey(step, step.id);
  return stepKey(
    step,
    inputsOf(step).map((input) => {
      if (input.root === 'scratch') return 'scratch';
      return input.by === 'key' ? keys.get(input.root)! : sha256(Buffer.from(content(input.path)));
    }),
  );
}

async function same(a: Promise<Digest>, b: Promise<Digest>): Promise<void> {
  assert.equal(await a, await b);
}

async function differ(a: Promise<Digest>, b: Promise<Digest>): Promise<void> {
  assert.notEqual(await a, await b);
}

const args = (...pairs: [string, string][]): Partial<PlanOptions> => ({ buildArgs: new Map(pairs) });

test('an ARG is in the keys of what runs after it, and of nothing before', async () => {
  const before = 'FROM x\nRUN a\nARG V\n';
  await same(keyOf(before, args(['V', '1'])), keyOf(before, args(['V', '2'])));
  const after = 'FROM x\nARG V\nRUN a\n';
  await differ(keyOf(after, args(['V', '1'])), keyOf(after, args(['V', '2'])));
  await same(keyOf('FROM x\nRUN a\n', args(['V', '1'])), keyOf('FROM x\nRUN a\n', args(['V', '2'])));
});

test('a COPY does not know of ARGs it does not use', async () => {
  const text = 'FROM x\nARG V\nCOPY a /\n';
  await same(keyOf(text, args(['V', '1'])), keyOf(text, args(['V', '2'])));
});

test('proxies are in no key, unless they are declared', async () => {
  const text = 'FROM x\nRUN a\n';
  await same(keyOf(text, args(['HTTP_PROXY', 'p'])), keyOf(text));
  const declared = 'FROM x\nARG HTTP_PROXY\nRUN a\n';
  await differ(keyOf(declared, args(['HTTP_PROXY', 'p'])), keyOf(declared, args(['HTTP_PROXY', 'q'])));
});

test('a COPY is known by what it copies, where to, and how', async () => {
  const text = 'FROM x\nCOPY a /b\n';
  await differ(
    keyOf(text),
    keyOf(text, {}, () => 'changed'),
  );
  await differ(keyOf(text), keyOf('FROM x\nCOPY a /c\n'));
  await differ(keyOf(text), keyOf('FROM x\nCOPY --chown=1 a /b\n'));
  await differ(keyOf(text), keyOf('FROM x\nCOPY --chmod=0600 a /b\n'));
  const equal = (): string => 'the same content';
  await same(keyOf('FROM x\nCOPY one/a /b\n', {}, equal), keyOf('FROM x\nCOPY two/a /b\n', {}, equal));
});

test('a COPY from a stage that comes to the same content is the same, however that stage came to it', async () => {
  const text = (command: string): string => `FROM x AS s\nRUN ${command}\nFROM scratch\nCOPY --from=s /a /\n`;
  await same(keyOf(text('one')), keyOf(text('two')));
});

test('--link does not depend on what is below', async () => {
  const text = (link: string): string => `FROM x\nRUN ${link}\nCOPY ${link} a /\n`;
  await same(keyOf('FROM x\nRUN one\nCOPY --link a /\n'), keyOf('FROM x\nRUN two\nCOPY --link a /\n'));
  await differ(keyOf(text('')), keyOf('FROM x\nRUN two\nCOPY a /\n'));
});

test('a cache’s id and sharing are in no key, its place is', async () => {
  const text = (mount: string): string => `FROM x\nRUN --mount=type=cache,${mount} a\n`;
  await same(keyOf(text('target=/c,id=1')), keyOf(text('target=/c,id=2,sharing=locked')));
  await differ(keyOf(text('target=/c')), keyOf(text('target=/d')));
});

test('what is mounted to be read is known by its content, from wherever it comes', async () => {
  const equal = (): string => 'the same content';
  const text = (source: string): string => `FROM x\nRUN --mount=source=${source},target=/m a\n`;
  await same(keyOf(text('/one'), {}, equal), keyOf(text('/two'), {}, equal));
  await differ(keyOf(text('/one')), keyOf(text('/two')));
});

test('a RUN is known by its command, environment, folder, user, network and shell', async () => {
  const base = keyOf('FROM x\nRUN a\n');
  for (const other of [
    'RUN b',
    'ENV A=1\nRUN a',
    'USER u\nRUN a',
    'SHELL ["s"]\nRUN a',
    'RUN --network=none a',
    'RUN --security=insecure a',
    'RUN --mount=type=secret,id=s a',
  ]) {
    await differ(base, keyOf(`FROM x\n${other}\n`));
  }
  await same(base, keyOf('FROM x\nLABEL a=b\nEXPOSE 80\nCMD ["c"]\nRUN a\n'));
});

test('names, comments and places are in no key', async () => {
  await same(keyOf('FROM x AS one\nRUN a\n'), keyOf('# hello\n\nfrom x AS two\n\nrun  a\n'));
});

test('digests must be as many as inputs', async () => {
  const plan = await planBuild(parse('FROM scratch\nCOPY a /\n'), { platform }, () =>
    Promise.reject(new Error('unused')),
  );
  const copy = plan.steps.at(-1)!;
  assert.ok(copy.kind === 'copy');
  assert.throws(() => stepKey(copy, []), TypeError);
});
