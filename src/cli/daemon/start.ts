/** Starts the daemon and waits until it answers: as the service where that is installed, else in the background. */
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Client } from '../../client/index.ts';
import { Fault } from '../../std/index.ts';
import type { Session } from '../session.ts';
import { daemonProgram, logPath, own, servicePath, unitNames } from './paths.ts';
import { hasSystemd, systemctl } from './systemctl.ts';

const patienceMs = 15_000;

/** @throws Fault unavailable when it does not answer in time, saying where its log is. */
export async function startDaemon(session: Session, client: Client): Promise<void> {
  if (hasSystemd() && existsSync(servicePath)) {
    session.err.write(
      `Starting the Wherry service (log: journalctl ${own === undefined ? '-u' : '--user -u'} wherry)\n`,
    );
    await systemctl('start', ...unitNames);
    return;
  }
  const program = daemonProgram();
  if (!existsSync(program)) throw new Fault('unavailable', `Cannot start the daemon: ${program} is not there`);
  const log = logPath(session.env);
  mkdirSync(dirname(log), { recursive: true, mode: 0o755 });
  session.err.write(`Starting the Wherry daemon (log: ${log})\n`);
  const { spawn } = await import('node:child_process');
  const descriptor = openSync(log, 'a', 0o640);
  let exit: number | null | undefined;
  try {
    const child = spawn(program, [], { detached: true, stdio: ['ignore', descriptor, descriptor], cwd: '/' });
    child.once('exit', (code) => {
      exit = code;
    });
    child.once('error', () => {
      exit = 127;
    });
    child.unref();
  } finally {
    closeSync(descriptor);
  }
  const deadline = Date.now() + patienceMs;
  while (!(await answers(client))) {
    if ((exit !== undefined && exit !== 0) || Date.now() > deadline) {
      const why =
        exit === undefined || exit === 0
          ? `did not answer within ${patienceMs / 1000} s`
          : `ended with exit code ${exit}`;
      throw new Fault('unavailable', `The Wherry daemon ${why}. Its log may say why: wherry system logs`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export async function answers(client: Client): Promise<boolean> {
  try {
    await client.system.ping(AbortSignal.timeout(2_000));
    return true;
  } catch {
    return false;
  }
}
