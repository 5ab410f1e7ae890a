/** The long form: `npm run fuzz -- [minutes] [name]`. Each file of this folder, or those with the name in theirs, for so many minutes. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const usual = 5;

const words = process.argv.slice(2);
const minutes = Number(words.find((word) => /^\d+(\.\d+)?$/.test(word)) ?? usual);
const name = words.find((word) => !/^\d/.test(word)) ?? '';
const seed = process.env['WHERRY_FUZZ_SEED'] ?? String(Date.now() % 1_000_000_000);
const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.test.ts') && file.includes(name));
if (files.length === 0) {
  process.stderr.write(`nothing to fuzz has ${JSON.stringify(name)} in its name\n`);
  process.exitCode = 2;
}
for (const file of files) {
  const path = join(import.meta.dirname, file);
  // The time is shared among a file's tests, which run one after the other.
  const tests = readFileSync(path, 'utf8').match(/^(?:fuzzed|property)\(/gm)?.length ?? 1;
  const seconds = Math.max(1, Math.round((minutes * 60) / tests));
  process.stdout.write(`== ${file}: ${tests} tests of ${seconds} s, seed ${seed}\n`);
  const { status } = spawnSync(process.execPath, ['--test', '--test-force-exit', '--test-isolation=none', path], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, WHERRY_FUZZ_SECONDS: String(seconds), WHERRY_FUZZ_SEED: seed },
  });
  if (status === 0) continue;
  process.stdout.write(
    `to see it again: WHERRY_FUZZ_SEED=${seed} npm run fuzz -- ${minutes} ${file.replace('.test.ts', '')}\n`,
  );
  process.exitCode = 1;
}
