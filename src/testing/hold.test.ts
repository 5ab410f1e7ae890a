/** The shell that holds a container, run here without one. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { test } from 'node:test';
import { holdEntrypoint, passesSignals } from './hold.ts';

function hold(...command: string[]): { child: ChildProcess; end: Promise<number | null>; said: () => string } {
  const [program = 'sh', ...args] = holdEntrypoint;
  const child = spawn(program, [...args, ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  return { child, end: new Promise((done) => child.on('exit', done)), said: () => text };
}

async function saw(said: () => string, word: string): Promise<void> {
  for (let tries = 0; !said().includes(word) && tries < 500; tries++)
    await new Promise((later) => setTimeout(later, 10));
  assert.ok(said().includes(word), said());
}

test('ends with the exit code of what it holds', { timeout: 20_000 }, async () => {
  assert.equal(await hold('sh', '-c', 'exit 7').end, 7);
});

test('passes signals on', { timeout: 20_000 }, async () => {
  const { child, end, said } = hold('sh', '-c', "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done");
  await saw(said, 'up');
  child.kill('SIGTERM');
  assert.equal(await end, 3);
  assert.match(said(), /bye/);
});

test('ends what it holds when its input ends', { timeout: 20_000 }, async () => {
  const { child, end, said } = hold('sh', '-c', "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done");
  await saw(said, 'up');
  child.stdin!.end();
  assert.equal(await end, 3);
  assert.match(said(), /bye/);
});

test('whether it passes signals on is in the kernel’s words', () => {
  assert.equal(passesSignals('SigIgn:\t0000000180000000\nSigCgt:\t0000000000014a07\nCapInh:\t0'), true);
  assert.equal(passesSignals('SigIgn:\t0000000000004000\nSigCgt:\t0000000000010000\n'), false);
  assert.equal(passesSignals(''), false);
});
