/** The engine that the scripts talk to: found, started, asked. */
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const root = resolve(import.meta.dirname, '..');
export const socket = process.env['WHERRY_SOCKET'] ?? '/run/wherry/wherry.sock';
/** How a person calls the command from where they are. */
export const shown = process.cwd() === root ? 'bin/wherry' : join(root, 'bin/wherry');

const bold = (text: string): string => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[0m` : text);
export const say = (text: string): void => void process.stdout.write(`${text}\n`);
export const step = (text: string): void => say(`${bold('==>')} ${text}`);

export function fail(text: string): never {
  process.stderr.write(`wherry: ${text}\n`);
  process.exit(1);
}

/** One GET of the Engine API; the command line is for people, this is a program. @throws Error when nobody listens */
export function get(path: string): Promise<{ status: number; text: string }> {
  return new Promise((done, reject) => {
    const message = request({ socketPath: socket, path }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => done({ status: answer.statusCode ?? 0, text }));
    });
    message.on('error', reject);
    message.end();
  });
}

export async function getJson<T>(path: string): Promise<T | undefined> {
  const { status, text } = await get(path);
  return status === 200 ? (JSON.parse(text) as T) : undefined;
}

export async function isUp(): Promise<boolean> {
  try {
    return (await get('/_ping')).status === 200;
  } catch {
    return false;
  }
}

export async function startEngine(): Promise<void> {
  if (await isUp()) return step(`the engine is up already (${socket})`);
  if (process.getuid?.() !== 0) fail('the engine needs root to make containers. Run: sudo npm start');
  const logs = '/var/log/wherry';
  mkdirSync(logs, { recursive: true, mode: 0o755 });
  const log = join(logs, 'wherryd.log');
  const out = openSync(log, 'a');
  const extra = process.env['WHERRYD_ARGS']?.split(' ').filter(Boolean) ?? [];
  const daemon = spawn(join(root, 'bin/wherryd'), ['-H', `unix://${socket}`, ...extra], {
    detached: true,
    stdio: ['ignore', out, out],
  });
  daemon.unref();
  for (let attempt = 0; attempt < 150; attempt++) {
    if (await isUp()) return step(`the engine is up: ${socket} (log: ${log})`);
    if (daemon.exitCode !== null) break;
    await sleep(100);
  }
  fail(`the engine did not come up; its last words:\n${readFileSync(log, 'utf8').split('\n').slice(-6).join('\n')}`);
}

/** The command line, on this terminal. @returns its exit code */
export function wherry(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const child = spawn(join(root, 'bin/wherry'), args, {
    stdio: 'inherit',
    env: { ...process.env, WHERRY_HOST: `unix://${socket}`, ...env },
  });
  // Ctrl-C is the child's: it ends what it does, and then so do we.
  process.on('SIGINT', () => {});
  return new Promise((done) => {
    child.on('error', (error) => fail(`cannot run bin/wherry: ${error.message}`));
    child.on('close', (code) => done(code ?? 130));
  });
}
