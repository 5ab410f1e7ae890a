/** `wherry system logs`. */
import { noArgs, type Command } from '../command.ts';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { Fault } from '../../std/index.ts';
import { logPath, own, servicePath } from '../daemon/paths.ts';
import { hasSystemd } from '../daemon/systemctl.ts';
import type { Session } from '../session.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
  -f, --follow        Follow log output
  -n, --tail string   Number of lines to show from the end of the log (default "all")
`,
  arity: noArgs,
  examples: `
# What it said last, and what it says
wherry system logs -n 50 -f`,
  async run(session, { flags }) {
    const tail = flags.string('tail');
    const count = tail === 'all' ? undefined : Number(tail);
    if (count !== undefined && !Number.isInteger(count)) throw new Fault('invalid', `invalid number of lines: ${tail}`);
    if (hasSystemd() && existsSync(servicePath)) return journal(count, flags.bool('follow'));
    const path = logPath(session.env);
    if (!existsSync(path))
      throw new Fault('not-found', `There is no log at ${path}: the daemon was never started by wherry`);
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
    const shown = count === undefined ? lines : lines.slice(Math.max(0, lines.length - count));
    session.out.write(shown.map((line) => `${line}\n`).join(''));
    if (flags.bool('follow')) await follow(session, path);
    return 0;
  },
};

async function journal(count: number | undefined, follow: boolean): Promise<number> {
  const { spawn } = await import('node:child_process');
  const words = [
    ...(own === undefined ? [] : ['--user']),
    '-u',
    'wherry.service',
    '-o',
    'cat',
    '--no-pager',
    ...(count === undefined ? [] : ['-n', String(count)]),
    ...(follow ? ['-f'] : []),
  ];
  const child = spawn('journalctl', words, { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** Until interrupted. A file that became shorter is read from its beginning. */
async function follow(session: Session, path: string): Promise<never> {
  let at = statSync(path).size;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const { size } = statSync(path);
    if (size < at) at = 0;
    if (size === at) continue;
    for await (const chunk of createReadStream(path, { start: at, end: size - 1 })) session.out.write(chunk as Buffer);
    at = size;
  }
}
