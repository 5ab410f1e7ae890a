import assert from 'node:assert/strict';
import { closeSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { collectBytes } from '../std/index.ts';
import { exited, pipePair, pipeStream, sealProgram, spawnProcess } from './spawn.ts';

async function run(file: string, args: string[], cwd = '/'): Promise<{ code: number; output: string }> {
  const [reading, writing] = pipePair();
  const [alive, theirs] = pipePair();
  const pid = spawnProcess(file, args, {
    cwd,
    env: { PATH: '/usr/bin:/bin', A: 'b' },
    descriptors: ['null', writing, writing, theirs],
  });
  closeSync(writing);
  closeSync(theirs);
  const output = collectBytes(pipeStream(reading, 'read'), 1 << 20);
  const code = await exited(pid, pipeStream(alive, 'read'));
  return { code, output: (await output).toString() };
}

test('a program gets its arguments, environment, folder and descriptors, and its exit code comes back', async () => {
  const script = 'pwd; echo "$A $1"; echo to stderr >&2; cat; exit 7';
  assert.deepEqual(await run('/bin/sh', ['-c', script, 'sh', 'x y'], '/usr'), {
    code: 7,
    output: '/usr\nb x y\nto stderr\n',
  });
});

test('a signal that ends it is told as shells tell it', async () => {
  assert.equal((await run('/bin/sh', ['-c', 'kill -9 $$'])).code, 137);
});

test("Node's ignored and blocked signals are not inherited, it has a session of its own", async () => {
  const { output } = await run('/bin/sh', [
    '-c',
    'grep -E "^Sig(Blk|Ign)" /proc/self/status; ps -o sid= -p $$; echo $$',
  ]);
  const [blocked, ignored, session, pid] = output
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).at(-1));
  const pipe = 1n << 12n;
  assert.equal(BigInt(`0x${ignored}`) & pipe, 0n, 'SIGPIPE ends it again');
  assert.deepEqual([blocked, session], ['0'.repeat(16), pid]);
});

test('descriptors are laid out right when they cross', async () => {
  const [reading, writing] = pipePair();
  const [alive, theirs] = pipePair();
  // The child's 3 and 4 are given in an order that overwrites if it is done naively.
  const low = [writing, theirs].sort((a, b) => b - a);
  const pid = spawnProcess('/bin/sh', ['-c', 'ls -l /proc/self/fd | grep -c pipe: 1>&2'], {
    env: { PATH: '/usr/bin:/bin' },
    descriptors: ['null', 'null', writing, low[0]!, low[1]!],
  });
  closeSync(writing);
  closeSync(theirs);
  const output = collectBytes(pipeStream(reading, 'read'), 1 << 20);
  await exited(pid, pipeStream(alive, 'read'));
  assert.match((await output).toString(), /^[3-5]\n$/);
});

test('what cannot be executed is said at once', () => {
  assert.throws(() => spawnProcess('/no/such', [], { env: {}, descriptors: [] }), { code: 'ENOENT' });
  assert.throws(() => spawnProcess('/etc/passwd', [], { env: {}, descriptors: [] }), { code: 'EACCES' });
});

test('a sealed program runs and cannot be changed', async () => {
  const path = sealProgram('echo', readFileSync('/bin/echo'));
  assert.deepEqual(await run(path, ['hello']), { code: 0, output: 'hello\n' });
  const { code } = await run('/bin/sh', ['-c', `echo x > ${path}`]);
  assert.notEqual(code, 0);
  assert.deepEqual(await run(path, ['hello']), { code: 0, output: 'hello\n' });
});
