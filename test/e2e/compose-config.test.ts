/**
 * Compose files against docker compose 2: a folder per case in test/fixtures/compose, resolved by both and compared field by field.
 * `command.json` gives a case flags and an environment. Where docker compose refuses, so must we.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CaughtOutput } from '../../src/cli/fixture.ts';
import { run } from '../../src/cli/program.ts';
import type { Session } from '../../src/cli/session.ts';
import { execute } from '../support/docker.ts';
import { packages } from '../support/peers.ts';

const folder = join(import.meta.dirname, '../fixtures/compose');
const cases = readdirSync(folder).toSorted();

/** docker compose itself crashes on it (a nil map, 2.40.3); ours reads what the specification says. */
const crashes = new Set(['build-ssh-map']);

interface Case {
  args?: string[];
  env?: Record<string, string>;
}

let compose: string | undefined;
let reason: string | undefined;
try {
  compose = join(await packages('newer'), 'usr/libexec/docker/cli-plugins/docker-compose');
} catch (error) {
  reason = (error as Error).message;
}
const start = process.cwd();
after(() => process.chdir(start));

test('the corpus is there', () => assert.ok(cases.length >= 150, `${cases.length} cases`));

for (const name of cases) {
  test(name, { timeout: 60_000, skip: reason ?? false }, async () => {
    const cwd = join(folder, name);
    const file = join(cwd, 'command.json');
    const given = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Case) : {};
    const env = { PATH: process.env['PATH'] ?? '', HOME: '/root', ...given.env };
    const words = [...(given.args ?? []), 'config', '--format', 'json'];
    const ours = await wherryCompose(cwd, words, env);
    if (crashes.has(name)) {
      assert.equal(ours.code, 0, ours.err);
      return;
    }
    const theirs = await execute('env', ['-i', ...pairs(env), compose!, ...words], { cwd });
    if (theirs.code !== 0) {
      assert.notEqual(ours.code, 0, `docker compose refuses: ${theirs.stderr}`);
      assert.ok(ours.err.trim() !== '', 'a refusal says why');
      return;
    }
    assert.equal(ours.code, 0, ours.err);
    assert.deepEqual(JSON.parse(ours.out), JSON.parse(theirs.stdout));
  });
}

function pairs(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).map(([key, value]) => `${key}=${value}`);
}

/** Our command line, in this process: no daemon is asked. */
async function wherryCompose(
  cwd: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ code: number; out: string; err: string }> {
  const out = new CaughtOutput();
  const err = new CaughtOutput();
  const noDaemon = async (): Promise<never> => {
    throw new Error('config asks no daemon');
  };
  process.chdir(cwd);
  const code = await run(
    ['compose', ...words],
    (options): Session => ({
      env,
      out,
      err,
      options,
      in: { isTerminal: false, async *read() {}, line: async () => undefined, raw: () => () => {}, stop: () => {} },
      endpoint: noDaemon,
      client: noDaemon,
      config: () => {
        throw new Error('config asks no configuration');
      },
      now: () => Date.now(),
    }),
    env,
  );
  return { code, out: out.text, err: err.text };
}
