/**
 * The one gate: format, lint, types, architecture, unit tests, a short fuzz and end-to-end tests, in that order, all of them whatever fails. Ends with
 * the line `N passed, N failed, N skipped`. Arguments choose steps by name (`npm test -- unit`), or test files.
 */
import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const root = resolve(import.meta.dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'wherry-test-'));

function run(file: string, args: string[], limitMs: number): Promise<number> {
  return new Promise((done) => {
    const child = spawn(file, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, FORCE_COLOR: '0', WHERRY_SOURCE: '1' },
    });
    const timer = setTimeout(() => {
      process.stdout.write(`\n${file} ran longer than ${limitMs / 60_000} minutes and is ended\n`);
      child.kill('SIGKILL');
    }, limitMs);
    child.on('error', (error) => {
      process.stdout.write(`${error.message}\n`);
      done(127);
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      done(code ?? 1);
    });
  });
}

async function tool(name: string, file: string, args: string[]): Promise<Tally> {
  process.stdout.write(`\n== ${name}\n`);
  const code = await run(file, args, 5 * 60_000);
  process.stdout.write(code === 0 ? `${name}: ok\n` : `${name}: FAILED (exit ${code})\n`);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
}

/** Three reporters are more listeners than Node expects. */
const quiet = '--disable-warning=MaxListenersExceededWarning';

async function tests(name: string, files: string[], args: string[], limitMs: number): Promise<Tally> {
  process.stdout.write(`\n== ${name} (${files.length} files)\n`);
  const tap = join(scratch, `${name.replaceAll(/\W/g, '-')}.tap`);
  const times = `${tap}.times`;
  const reporters = [
    '--test-reporter=dot',
    '--test-reporter-destination=stdout',
    '--test-reporter=tap',
    `--test-reporter-destination=${tap}`,
    `--test-reporter=${join(root, 'test/file-times.ts')}`,
    `--test-reporter-destination=${times}`,
  ];
  const code = await run(
    process.execPath,
    ['--test', '--test-force-exit', quiet, ...reporters, ...args, ...files],
    limitMs,
  );
  let text = '';
  try {
    text = readFileSync(tap, 'utf8');
  } catch {
    // The runner died before it wrote anything: the exit code tells.
  }
  const count = (word: string): number => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  const tally = {
    passed: count('pass'),
    failed: count('fail') + count('cancelled'),
    skipped: count('skipped') + count('todo'),
  };
  if (code !== 0 && tally.failed === 0) tally.failed = 1;
  for (const line of new Set(text.match(/# (SKIP|TODO) .+/g))) process.stdout.write(`${line.slice(2)}\n`);
  if (tally.failed > 0) printFailures(text);
  if (existsSync(times)) process.stdout.write(`\n${readFileSync(times, 'utf8').split('\n').slice(0, 12).join('\n')}\n`);
  process.stdout.write(`${name}: ${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped.\n`);
  return tally;
}

/** Name, message and place of each failed test. */
function printFailures(tap: string): void {
  const lines = tap.split('\n');
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!;
    if (!/^\s*not ok /.test(line) || /# (SKIP|TODO)/.test(line)) continue;
    process.stdout.write(`${line.trim()}\n`);
    const indent = /^\s*/.exec(line)![0];
    for (let next = index + 1; next < lines.length && !lines[next]!.startsWith(`${indent}  ...`); next++) {
      if (!/^\s*(duration_ms|type|---)/.test(lines[next]!)) process.stdout.write(`${lines[next]}\n`);
      if (next - index > 40) break;
    }
  }
}

const sources = (pattern: string): string[] => globSync(pattern, { cwd: root }).sort();
const bin = (name: string): string => join(root, 'node_modules/.bin', name);
const wanted = process.argv.slice(2);
const named = wanted.filter((word) => word.endsWith('.test.ts')).map((file) => relative(root, resolve(file)));

/** Debian's registry for the unit tests that need a real one; without it they skip and say so. */
async function provideRegistry(): Promise<void> {
  try {
    const { packages } = await import('./support/peers.ts');
    process.env['WHERRY_TEST_REGISTRY'] ??= join(await packages('registry'), 'usr/bin/docker-registry');
  } catch (error) {
    process.stdout.write(`no docker-registry: ${(error as Error).message}\n`);
  }
}

const stacks = ['stacks/pkc/backend', 'stacks/pkc/frontend'];

/** The applications have packages of their own, once for each state of their lock files. */
async function provideStacks(): Promise<void> {
  for (const folder of stacks) {
    const lock = readFileSync(join(root, folder, 'package-lock.json'), 'utf8');
    const stamp = join(root, folder, 'node_modules/.wherry-setup');
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) continue;
    process.stdout.write(`installing the npm packages of ${folder}\n`);
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder];
    if ((await run('npm', args, 5 * 60_000)) === 0) writeFileSync(stamp, lock);
  }
}

/** Types and tests of the applications, each with its own packages and settings. */
async function stackTests(): Promise<Tally> {
  await provideStacks();
  const all: Tally[] = [];
  for (const folder of stacks) {
    all.push(await tool(`types of ${folder}`, bin('tsc'), ['--noEmit', '-p', folder]));
    all.push(await tests(folder, sources(`${folder}/src/**/*.test.ts`), [], 5 * 60_000));
  }
  return sum(all);
}

function sum(all: readonly Tally[]): Tally {
  const of = (key: keyof Tally): number => all.reduce((count, tally) => count + tally[key], 0);
  return { passed: of('passed'), failed: of('failed'), skipped: of('skipped') };
}

/** What takes longest begins first, so that no file is left alone at the end. */
const long = [
  'build-compare',
  'pkc',
  'compare',
  'compose-engine',
  'build-cli',
  'clients',
  'compose-dockerd',
  'compose',
  'build-buildx',
  'hostile-images',
  'store-crash',
  'sdk',
  'sdk-dockerd',
  'hostile-clients',
].map((name) => `test/e2e/${name}.test.ts`);

const steps: Record<string, () => Promise<Tally>> = {
  format: () => tool('format', bin('biome'), ['format', '.']),
  lint: async () => {
    await provideStacks();
    return tool('lint', bin('oxlint'), ['--type-aware', 'src', 'test', 'scripts', 'bench', 'stacks']);
  },
  types: () => tool('types', bin('tsc'), ['--noEmit']),
  unit: async () => {
    await provideRegistry();
    return tests(
      'unit',
      [...sources('src/**/*.test.ts'), 'test/architecture.test.ts'],
      ['--test-isolation=none'],
      8 * 60_000,
    );
  },
  fuzz: () => tests('fuzz', sources('test/fuzz/**/*.test.ts'), ['--test-concurrency=2'], 3 * 60_000),
  stacks: stackTests,
  // Most of them wait more than they work: two at once, as many as the smallest machine has cores.
  e2e: () => {
    const all = [...sources('test/e2e/**/*.test.ts'), ...sources('test/faults/*.test.ts')];
    const first = long.filter((file) => all.includes(file));
    const rest = all.filter((file) => !first.includes(file));
    return tests('e2e', [...first, ...rest], ['--test-concurrency=2'], 25 * 60_000);
  },
};

const total: Tally = { passed: 0, failed: 0, skipped: 0 };
const add = (tally: Tally): void => {
  total.passed += tally.passed;
  total.failed += tally.failed;
  total.skipped += tally.skipped;
};
const started = performance.now();
if (named.length > 0) add(await tests('files', named, ['--test-concurrency=1'], 20 * 60_000));
else
  for (const [name, step] of Object.entries(steps)) if (wanted.length === 0 || wanted.includes(name)) add(await step());
rmSync(scratch, { recursive: true, force: true });
process.stdout.write(`\n${Math.round((performance.now() - started) / 1000)} s\n`);
process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
process.exitCode = total.failed === 0 ? 0 : 1;
