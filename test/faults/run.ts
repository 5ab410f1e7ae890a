/**
 * The fault suites in full: `npm run faults -- [kills] [power cuts]`, 2,000 and 500 when nothing is said: about two hours. Each run
 * prints its seed; WHERRY_KILLS_SEED and WHERRY_POWER_SEED repeat one.
 */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const [kills = '2000', cuts = '500'] = process.argv.slice(2);
const files = ['faults/faults', 'faults/kills', 'faults/power', 'e2e/store-crash'].map((name) =>
  join(root, `test/${name}.test.ts`),
);
const done = spawnSync(
  process.execPath,
  ['--test', '--test-force-exit', '--test-concurrency=1', '--test-reporter=spec', ...files],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      WHERRY_SOURCE: '1',
      WHERRY_KILLS: kills,
      WHERRY_POWER_CUTS: cuts,
      WHERRY_CRASH_KILLS: process.env['WHERRY_CRASH_KILLS'] ?? '200',
    },
  },
);
process.exitCode = done.status ?? 1;
