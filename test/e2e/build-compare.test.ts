/**
 * The same Dockerfiles built by the reference (BuildKit in Debian's dockerd) and by Wherry, through the same buildx: the file systems (names,
 * kinds, modes, owners, content, links, extended attributes, times where they are copied) and the images' configurations must be equal.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { type BuildCase, buildCases, failingBuilds, writeContexts } from '../support/build-cases.ts';
import { cannotRun, sharedDaemon } from '../support/daemon.ts';
import { type Docker, execute, type Outcome, type RunOptions } from '../support/docker.ts';
import { dockerPeer } from '../support/image-peers.ts';
import { busyboxImage } from '../support/images.ts';
import { packages, ReferenceEngine } from '../support/peers.ts';
import { compareTrees } from '../support/tree.ts';

let reason = cannotRun();
const peers = reason === undefined ? await packages('newer').catch((error: Error) => noReference(error)) : undefined;
const plugins = join(peers ?? '', 'usr/libexec/docker/cli-plugins');
if (reason === undefined && !existsSync(join(plugins, 'docker-buildx'))) reason = 'docker-buildx cannot be had';
const reference =
  reason === undefined ? await ReferenceEngine.open().catch((error: Error) => noReference(error)) : undefined;
after(() => reference?.[Symbol.asyncDispose]());
const host = await sharedDaemon({ expectedErrors: [/request failed/] });
const { scenario } = host;
const root = mkdtempSync(join(tmpdir(), 'wherry-build-compare-'));
after(() => rmSync(root, { recursive: true, force: true }));

function noReference(error: Error): undefined {
  reason = `no reference builder: ${error.message.split('\n')[0]}`;
  return undefined;
}

/** What is built differently, and why that is meant. A difference that no longer occurs fails the test. */
const intended: Readonly<Record<string, string>> = {};

function buildx(docker: Docker, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const env = { ...docker.env, DOCKER_CONFIG: join(root, 'config'), BUILDX_NO_DEFAULT_ATTESTATIONS: '1' };
  return execute(join(peers!, 'usr/bin/docker'), ['buildx', ...args], {
    timeoutMs: 60_000,
    ...options,
    env,
    cwd: join(root, 'contexts'),
  });
}

function bakeFile(cases: readonly BuildCase[]): string {
  const target = Object.fromEntries(
    cases.map(({ name, dockerfile, context = 'common', contexts = {}, ...more }) => [
      name,
      {
        context,
        // What looks like a variable would be bake's own.
        'dockerfile-inline': dockerfile.replaceAll(/[$%]\{/g, (mark) => `${mark[0]}${mark}`),
        tags: [`built:${name}`],
        contexts,
        ...more,
      },
    ]),
  );
  return JSON.stringify({ group: { default: { targets: Object.keys(target) } }, target });
}

/** So many at once, so that a client's patience is not what is tested. */
const atOnce = 10;

/** Returns what went wrong, by the name of the case. */
async function buildAll(docker: Docker): Promise<Map<string, string>> {
  await docker.ok('load', '-q', '-i', await busyboxImage());
  const failed = new Map<string, string>();
  for (let at = 0; at < buildCases.length; at += atOnce)
    await buildSome(docker, buildCases.slice(at, at + atOnce), failed);
  return failed;
}

/** In one go; without those that fail, again. */
async function buildSome(docker: Docker, cases: readonly BuildCase[], failed: Map<string, string>): Promise<void> {
  for (;;) {
    const left = cases.filter(({ name }) => !failed.has(name));
    if (left.length === 0) return;
    const args = ['bake', '--load', '--progress', 'plain', '--allow', 'fs=*', '-f', '-'];
    const { code, stderr } = await buildx(docker, args, { input: bakeFile(left), timeoutMs: 120_000 });
    if (code === 0) return;
    const name = /^ERROR: target ([\w-]+): /m.exec(stderr)?.[1];
    if (name === undefined || failed.has(name)) throw new Error(stderr.slice(-2000));
    failed.set(name, stderr.slice(stderr.lastIndexOf('------\n > ')).slice(0, 2000));
  }
}

const failures = { reference: new Map<string, string>(), wherry: new Map<string, string>() };

before(async () => {
  if (reason !== undefined || reference === undefined) return;
  mkdirSync(join(root, 'config'));
  writeFileSync(join(root, 'config/config.json'), JSON.stringify({ cliPluginsExtraDirs: [plugins] }));
  mkdirSync(join(root, 'contexts'));
  await writeContexts(join(root, 'contexts'));
  [failures.reference, failures.wherry] = await Promise.all([buildAll(reference.docker), buildAll(host.docker)]);
});

/** Seconds before this are of copied files. */
const newest = 1_600_000_000;

function withoutNewTimes(tree: ReadonlyMap<string, string>): Map<string, string> {
  const known = (nanoseconds: string): boolean => Number(BigInt(nanoseconds) / 1_000_000_000n) < newest;
  return new Map(
    [...tree].map(([path, text]) => [
      path,
      text.replace(/mtime=(\d+)/, (all, nanoseconds: string) => (known(nanoseconds) ? all : 'mtime=new')),
    ]),
  );
}

interface Inspected {
  Config: Record<string, unknown>;
  RootFS: { Layers?: string[] | null };
  Architecture: string;
  Os: string;
  Author: string;
}

/** The image's configuration but for times, and its history. */
async function describe(docker: Docker, image: string): Promise<{ layers: number } & Record<string, unknown>> {
  const { Config, RootFS, Architecture, Os, Author } = JSON.parse(
    await docker.ok('image', 'inspect', '-f', '{{json .}}', image),
  ) as Inspected;
  const history = await docker.ok('history', '--no-trunc', '--format', '{{.CreatedBy}}\t{{.Comment}}', image);
  const set = Object.entries(Config).filter(([, value]) => !isNothing(value));
  return {
    config: Object.fromEntries(set.sort(([a], [b]) => (a < b ? -1 : 1))),
    layers: RootFS.Layers?.length ?? 0,
    platform: `${Os}/${Architecture}`,
    author: Author,
    history: history.split('\n'),
  };
}

/** Engines write what is not set in ways of their own. */
function isNothing(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === false || value === 0) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

async function same(name: string): Promise<void> {
  const image = `built:${name}`;
  const work = join(root, 'views');
  mkdirSync(work, { recursive: true });
  const wanted = dockerPeer('reference', reference!.docker, work);
  const ours = dockerPeer('wherry', host.docker, work);
  const found = await describe(host.docker, image);
  assert.deepEqual(found, await describe(reference!.docker, image));
  if (found.layers === 0) return;
  // Of a folder that a copy went into, the reference has now one time, now another.
  const options = { directoryTimes: false };
  const [theirTree, ourTree] = [await wanted.tree(image, options), await ours.tree(image, options)].map(
    withoutNewTimes,
  );
  assert.deepEqual(compareTrees(theirTree!, ourTree!), []);
}

for (const { name } of buildCases) {
  scenario(name, async (t) => {
    if (reference === undefined) {
      t.skip(reason);
      return;
    }
    assert.equal(failures.reference.get(name), undefined, 'the reference did not build it');
    assert.equal(failures.wherry.get(name), undefined);
    if (intended[name] === undefined) await same(name);
    else await assert.rejects(same(name), intended[name]);
  });
}

/** Errors alike but for ids and for how each says what a file system said. */
function errorOf({ stderr }: Outcome): string {
  const lines = stderr.split('\n');
  const at = lines.findLastIndex((line) => line.startsWith('ERROR: '));
  const shown = lines
    .slice(at < 0 ? 0 : at)
    .join('\n')
    .trim();
  return shown
    .replaceAll(/checksum of ref [-a-z0-9]+::[a-z0-9]+: /g, 'checksum of ref: ')
    .replaceAll(/(?:View build details|Learn more).*/g, '')
    .trim();
}

const excerptOf = ({ stderr }: Outcome): string => /^\S*:\d+\n-{4,}\n[\s\S]*?\n-{4,}$/m.exec(stderr)?.[0] ?? '';

/** What fails with other words, and why. */
const intendedErrors: Readonly<Record<string, string>> = {
  'no-such-stage': 'a base image is pulled, and its words are those of a pull',
  cycle: 'the same',
  'no-such-program': 'the reason is told, with the exit code that a shell has for it',
  insecure: 'known without the labs syntax, and refused until it is allowed',
};

for (const { name, dockerfile, context = 'common', target } of failingBuilds) {
  scenario(`fails alike: ${name}`, async (t) => {
    if (reference === undefined) {
      t.skip(reason);
      return;
    }
    const file = join(root, `${name}.Dockerfile`);
    writeFileSync(file, dockerfile);
    const more = target === undefined ? [] : ['--target', target];
    const args = ['build', '--progress', 'plain', '-f', file, ...more, context];
    const [theirs, ours] = [await buildx(reference.docker, args), await buildx(host.docker, args)];
    assert.notEqual(theirs.code, 0, 'the reference built it');
    assert.equal(ours.code, theirs.code);
    if (intendedErrors[name] === undefined) {
      // Which of its two calls the client hears fail first, and so how it begins, is chance.
      const told = (outcome: Outcome): string =>
        errorOf(outcome).replace('failed to run Build function', 'failed to solve');
      assert.equal(told(ours), told(theirs));
      assert.equal(excerptOf(ours), excerptOf(theirs));
    } else assert.notEqual(errorOf(ours), errorOf(theirs), intendedErrors[name]);
  });
}
