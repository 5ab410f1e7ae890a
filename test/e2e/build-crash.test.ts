/**
 * kill -9 of the daemon, of the client, and Ctrl-C, at random moments of builds through every door. After each: nothing of the build
 * runs, what has a name is whole, the store verifies; and in the end prune frees everything. WHERRY_CRASH_KILLS sets how many
 * (200 for the long form), WHERRY_CRASH_SEED repeats one.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BuildClient } from '../support/build-clients.ts';
import { cannotRun, repository, sharedDaemon } from '../support/daemon.ts';
import { execute, Running, until } from '../support/docker.ts';
import { RegistryService } from '../support/peers.ts';
import { tarOf } from '../support/tar.ts';

const kills = Number(process.env['WHERRY_CRASH_KILLS'] ?? 24);
const seed = Number(process.env['WHERRY_CRASH_SEED'] ?? randomInt(2 ** 31));

let reason = cannotRun();
const missing = (error: Error): undefined => void (reason ??= error.message);
const registry = reason === undefined ? await RegistryService.open().catch(missing) : undefined;
after(() => registry?.[Symbol.asyncDispose]());
const host = await sharedDaemon();
const clients =
  reason === undefined
    ? await Promise.all([BuildClient.classic(host.daemon), BuildClient.buildx(host.daemon)]).catch(missing)
    : undefined;

/** Park and Miller's generator: the same seed makes the same run. */
let state = (seed % 2_147_483_646) + 1;
function random(below: number): number {
  state = (state * 48_271) % 2_147_483_647;
  return Math.floor((state / 2_147_483_647) * below);
}

const dockerfile = `FROM busybox AS one
COPY large /one/large
RUN --mount=type=cache,target=/cache cp /one/large /cache/last && md5sum < /one/large > /one/sum
FROM busybox AS two
ADD archive.tar /two/
RUN sleep 0.05; ls /two > /two/list
FROM busybox
COPY --from=one /one /one
COPY --from=two /two /two
COPY site /site
RUN cat /one/sum /two/list > /all
CMD ["cat", "/all"]
`;

const folder = (): string => join(host.daemon.root, 'crash-context');
const output = (name: string): string => join(host.daemon.root, `crash-${name}`);
/** What the images of builds so far print, newest last. */
const printed: string[] = [];

function writeContext(): void {
  const large = randomBytes(2_000_000);
  mkdirSync(join(folder(), 'site'), { recursive: true });
  writeFileSync(join(folder(), 'Dockerfile'), dockerfile);
  writeFileSync(join(folder(), 'large'), large);
  writeFileSync(join(folder(), 'archive.tar'), tarOf(`in-${printed.length}`, randomBytes(100_000)));
  for (let index = 0; index < 30; index++)
    writeFileSync(join(folder(), 'site', `${index}`), large.subarray(0, index * 100));
  const sum = createHash('md5').update(large).digest('hex');
  printed.push(`${sum}  -\nin-${printed.length}\nlist`);
}

/** A way to build, and what it leaves when it is done. */
interface Deed {
  start: () => Running;
  takes?: number;
}

const names = ['-t', 'crash:1', '-t', 'crash:2'];
const own = (...args: string[]): Running =>
  new Running(join(repository, 'bin/wherry'), ['build', '-q', ...args, folder()], {
    env: { ...host.docker.env, WHERRY_HOST: host.daemon.host },
  });
const stock = (client: number, ...args: string[]): Running =>
  clients![client]!.start(['build', '-q', ...args, folder()]);

const deeds: Record<string, Deed> = {
  classic: { start: () => stock(0, ...names) },
  buildx: { start: () => stock(1, ...names) },
  wherry: { start: () => own(...names) },
  archive: { start: () => own('-o', `type=oci,dest=${output('oci.tar')}`) },
  folder: { start: () => stock(1, '-o', `type=local,dest=${output('local')}`) },
  cache: { start: () => own(...names, '--cache-to', `type=local,dest=${output('cache')},mode=max`) },
  push: { start: () => stock(1, '--push', '-t', `${registry!.address}/crash:1`) },
};

const endings = ['daemon', 'daemon', 'daemon', 'client', 'interrupt'] as const;

host.scenario(
  `builds survive ${kills} kills`,
  async (test: TestContext) => {
    test.diagnostic(`WHERRY_CRASH_SEED=${seed} WHERRY_CRASH_KILLS=${kills}`);
    const { daemon, docker } = host;
    const before = await stored();
    const deedNames = Object.keys(deeds);
    for (const deed of Object.values(deeds)) {
      writeContext();
      const started = performance.now();
      const building = deed.start();
      assert.equal(await building.ended(), 0, building.stderr + building.stdout);
      deed.takes = performance.now() - started;
    }
    const counts: Record<string, number> = {};
    for (let round = 0; round < kills; round++) {
      const name = deedNames[round % deedNames.length]!;
      const ending = endings[random(endings.length)]!;
      const context = `round ${round}, ${name}, ${ending}, WHERRY_CRASH_SEED=${seed}`;
      // Every third time most of it is in the cache.
      if (random(3) > 0) writeContext();
      const building = deeds[name]!.start();
      await sleep(random(Math.ceil(deeds[name]!.takes! * 1.2)));
      if (ending === 'daemon') await daemon.kill();
      else building.child.kill(ending === 'client' ? 'SIGKILL' : 'SIGINT');
      const code = await building.ended();
      counts[`${ending} ${code === 0 ? 'done' : 'cut'}`] =
        (counts[`${ending} ${code === 0 ? 'done' : 'cut'}`] ?? 0) + 1;
      if (ending === 'daemon') await daemon.start();
      await check(context, name, code === 0);
    }
    test.diagnostic(JSON.stringify(counts));
    await same();
    await docker.run(['rmi', '-f', 'crash:1', 'crash:2', `${registry!.address}/crash:1`]);
    await empty(before);
  },
  { timeoutMs: 60_000 + kills * 10_000, skip: reason },
);

/** Nothing goes on, nothing is half. */
async function check(context: string, deed: string, isDone: boolean): Promise<void> {
  const { daemon, docker } = host;
  const left = (): string[] =>
    ['steps', 'netns-of-steps']
      .flatMap((name) => filesIn(join(daemon.execRoot, name)))
      .concat(filesIn(join(daemon.dataRoot, 'buildkit/posted')));
  await until(() => left().length === 0, { timeoutMs: 10_000, what: () => `${context}: ${left().join(', ')}` });
  assert.deepEqual(await daemon.verify(), [], context);
  for (const name of ['crash:1', 'crash:2']) {
    const { code, stdout } = await docker.run(['run', '--rm', '--network', 'none', name]);
    assert.equal(code, 0, `${context}: ${name}`);
    // Its build may have come to its end, though nobody heard of it.
    assert.ok(printed.includes(stdout.trim()), `${context}: ${name} prints ${stdout}`);
    if (isDone && ['classic', 'buildx', 'wherry', 'cache'].includes(deed))
      assert.equal(stdout.trim(), printed.at(-1), context);
  }
  const archive = output('oci.tar');
  const listed = await execute('tar', ['-tf', archive]);
  assert.equal(listed.code, 0, `${context}: ${archive} is there, and not whole: ${listed.stderr}`);
  assert.match(listed.stdout, /index\.json/);
}

function filesIn(path: string): string[] {
  return existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : [];
}

/** What survived in the cache makes the image that a build without it makes. */
async function same(): Promise<void> {
  const digest = async (...args: string[]): Promise<string> => {
    const file = output('same');
    const options = `type=oci,dest=${file},tar=false,rewrite-timestamp=true`;
    const { code, stderr } = await execute(
      join(repository, 'bin/wherry'),
      ['build', '-q', '-o', options, ...args, folder()],
      { env: { ...host.docker.env, WHERRY_HOST: host.daemon.host, SOURCE_DATE_EPOCH: '1700000000' } },
    );
    assert.equal(code, 0, stderr);
    const index = JSON.parse(readFileSync(join(file, 'index.json'), 'utf8')) as { manifests: { digest: string }[] };
    rmSync(file, { recursive: true });
    return index.manifests[0]!.digest;
  };
  assert.equal(await digest(), await digest('--no-cache'));
}

/** Prune frees all that df counts, and df counts all that there is. */
async function empty(before: readonly string[]): Promise<void> {
  const { daemon, docker } = host;
  await clients![1].ok(['builder', 'prune', '-af']);
  await docker.ok('image', 'prune', '-f');
  const { body } = await daemon.api('GET', '/system/df');
  const { BuildCache, Images } = body as {
    BuildCache: unknown[];
    Images: { RepoTags: string[] }[];
    LayersSize: number;
  };
  assert.deepEqual(BuildCache ?? [], []);
  assert.deepEqual(
    Images.flatMap(({ RepoTags }) => RepoTags),
    ['busybox:latest'],
  );
  const left = (await stored()).filter((path) => !before.includes(path));
  assert.deepEqual(left, []);
}

/** Blobs, layers and roots, by their paths in the data root. */
async function stored(): Promise<string[]> {
  const { dataRoot } = host.daemon;
  const { stdout } = await execute(
    'find',
    ['content/blobs', 'snapshots', 'buildkit', '-mindepth', '1', '-maxdepth', '2'],
    {
      cwd: dataRoot,
    },
  );
  return stdout.split('\n');
}
