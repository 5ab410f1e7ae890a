/** The package as it is published: packed, unpacked into a project of someone else, compiled against in strict mode, and run. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository, sharedDaemon } from '../support/daemon.ts';
import { execute, must } from '../support/docker.ts';

const host = await sharedDaemon();
const { scenario } = host;

const consumer = `
import { ApiFault, connect, type Container, Fault, type LogLine, type PublishedAddress } from 'wherry';
import { database, type Fork, postgres } from 'wherry/testing';

await using engine = await connect();
const lines: LogLine[] = [];
{
  await using web: Container = await engine.run({
    image: 'busybox',
    command: 'echo hello; exec nc -ll -p 80 -e echo served',
    ports: [80],
    until: { port: 80 },
  });
  const address: PublishedAddress = web.port(80);
  if (address.host !== '127.0.0.1') throw new Error(address.host);
  for await (const line of web.logs()) lines.push(line);
}
const [first] = await engine.call('containerList', { query: { all: true } });
// @ts-expect-error -- a call has its own query
void (() => engine.call('containerList', { query: { force: true } }));
// @ts-expect-error -- and needs what its path names
void (() => engine.call('containerInspect'));
// @ts-expect-error -- an image has to be named
void (() => engine.run({ command: 'true' }));
const refused: unknown = await engine.containers.get('nobody').catch((error: unknown) => error);
const rows = database({ image: 'busybox', command: ['sleep', '1000'], seed: async ({ exec }) => void exec });
let text: string;
{
  await using fork: Fork = await rows.fork();
  text = (await fork.container.exec('echo forked')).stdout;
}
const url = async (): Promise<string> => (await postgres({ seed: async (db) => void (await db.sql('SELECT 1')) }).fork()).url;
console.log(
  JSON.stringify([lines.map((line) => line.text), first?.Id, refused instanceof ApiFault && refused instanceof Fault, text, typeof url]),
);
`;

/** Without this repository's settings: as a project that only knows the package. */
const settings = {
  compilerOptions: {
    strict: true,
    target: 'es2022',
    module: 'nodenext',
    moduleResolution: 'nodenext',
    types: ['node'],
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    outDir: 'out',
  },
  files: ['main.ts'],
};

scenario(
  'npm pack has code and declarations; a project compiles against them and runs, with no other package',
  async () => {
    const folder = mkdtempSync(join(host.daemon.root, 'consumer-'));
    const packed = await must('npm', ['pack', '--json', '--pack-destination', folder], {
      cwd: repository,
      timeoutMs: 120_000,
    });
    const [{ filename, files }] = JSON.parse(packed.slice(packed.indexOf('[\n'))) as [
      { filename: string; files: { path: string }[] },
    ];
    const names = new Set(files.map(({ path }) => path));
    for (const name of ['dist/sdk.js', 'dist/testing.js', 'dist/types/sdk/index.d.ts', 'dist/wherryd.js', 'bin/wherry'])
      assert.ok(names.has(name), `${name} is not in the package`);
    const modules = join(folder, 'node_modules');
    mkdirSync(join(modules, 'wherry'), { recursive: true });
    mkdirSync(join(modules, '@types'));
    await must('tar', ['-xzf', join(folder, filename), '-C', join(modules, 'wherry'), '--strip-components=1']);
    for (const name of ['@types/node', 'undici-types'])
      symlinkSync(join(repository, 'node_modules', name), join(modules, name));
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', type: 'module' }));
    writeFileSync(join(folder, 'main.ts'), consumer);
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
    const compiler = join(repository, 'node_modules/typescript/bin/tsc');
    const compiled = await execute(process.execPath, [compiler, '-p', folder], { timeoutMs: 60_000 });
    assert.equal(compiled.code, 0, compiled.stdout);
    const env = { DOCKER_HOST: host.daemon.host, DOCKER_CONTEXT: undefined };
    const ran = await must(process.execPath, [join(folder, 'out/main.js')], { env });
    assert.deepEqual(JSON.parse(ran), [['hello'], null, true, 'forked\n', 'function']);
    // Nothing of this machine goes out.
    for (const name of ['dist/sdk.js', 'dist/testing.js', 'dist/types/sdk/index.d.ts'])
      assert.ok(!readFileSync(join(modules, 'wherry', name), 'utf8').includes(repository), name);
  },
  { timeoutMs: 180_000 },
);
