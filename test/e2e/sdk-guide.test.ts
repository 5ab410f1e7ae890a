/** The examples of docs/guide/sdk.md as they stand there: each compiled, and run in a process of its own, with what its comments promise. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository, sharedDaemon } from '../support/daemon.ts';
import { execute, must } from '../support/docker.ts';

const host = await sharedDaemon();
const { scenario } = host;
const guide = readFileSync(join(repository, 'docs/guide/sdk.md'), 'utf8');
const examples = [...guide.matchAll(/^```ts( no-run)?\n(.*?)^```$/gms)].map((match) => ({
  line: guide.slice(0, match.index).split('\n').length + 1,
  isRun: match[1] === undefined,
  code: match[2]!,
}));

const name = (line: number): string => `line-${line}.ts`;

/** A project that depends on this package, with each example as a file. */
function project(): string {
  const folder = join(host.daemon.root, 'guide');
  mkdirSync(join(folder, 'node_modules/@types'), { recursive: true });
  symlinkSync(repository, join(folder, 'node_modules/wherry'));
  symlinkSync(join(repository, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  for (const { line, code } of examples) writeFileSync(join(folder, name(line)), code);
  return folder;
}

/** What `console.log(…); // this` says that it prints: numbers of ports may be others, … is anything. */
function promises(code: string): { text: string; pattern: RegExp }[] {
  return [...code.matchAll(/console\.log\(.*\/\/ (.+)$/gm)].map(([, text = '']) => ({
    text,
    pattern: new RegExp(
      text
        .replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
        .replaceAll(/\b\d{5}\b/g, '\\d+')
        .replaceAll('…', '.*'),
    ),
  }));
}

scenario('every example compiles, in strict mode', async () => {
  assert.ok(examples.length >= 8, `${examples.length} examples`);
  // What cannot be run here is one that needs an image of PostgreSQL.
  assert.deepEqual(
    examples.filter(({ isRun }) => !isRun).map(({ code }) => code.includes("from 'wherry/testing'")),
    [true],
  );
  const folder = project();
  const source = (room: string): string[] => [join(repository, 'src', room, 'index.ts')];
  const settings = {
    extends: join(repository, 'tsconfig.json'),
    compilerOptions: {
      noUnusedLocals: false,
      paths: { wherry: source('sdk'), 'wherry/testing': source('testing') },
      typeRoots: [join(repository, 'node_modules/@types')],
    },
    include: [`${folder}/*.ts`],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
  const { code, stdout } = await execute(process.execPath, [
    join(repository, 'node_modules/typescript/bin/tsc'),
    '-p',
    folder,
  ]);
  assert.equal(code, 0, stdout);
  // What they import is the bundle that is published.
  await must(process.execPath, [join(repository, 'scripts/build.ts')], { timeoutMs: 60_000 });
});

for (const { line, isRun, code } of examples) {
  if (!isRun) continue;
  scenario(`the example at line ${line} does what it says`, async () => {
    const {
      code: exit,
      stdout,
      stderr,
    } = await execute(process.execPath, [name(line)], {
      cwd: join(host.daemon.root, 'guide'),
      env: { DOCKER_HOST: host.daemon.host, DOCKER_CONTEXT: undefined, NO_COLOR: '1', FORCE_COLOR: undefined },
    });
    assert.equal(exit, 0, stdout + stderr);
    for (const { text, pattern } of promises(code)) assert.match(stdout, pattern, `it promises: ${text}`);
    assert.equal(await host.docker.ok('ps', '-aq'), '');
  });
}
