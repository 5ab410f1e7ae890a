/** Stops the daemon; containers go on without it. */
import { existsSync, readFileSync } from 'node:fs';
import { errorCode, Fault } from '../../std/index.ts';
import { pidPath } from './paths.ts';

const patienceMs = 20_000;

/** The daemon's process, if it is there. */
export function daemonPid(): number | undefined {
  if (!existsSync(pidPath)) return undefined;
  // A user's launcher is known by pid and start time.
  const pid = Number(/\d+/.exec(readFileSync(pidPath, 'utf8'))?.[0]);
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return errorCode(error) === 'EPERM' ? pid : undefined;
  }
}

/** @returns whether one ran. @throws Fault when it does not end. */
export async function stopDaemon(): Promise<boolean> {
  const pid = daemonPid();
  if (pid === undefined) return false;
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (errorCode(error) === 'EPERM')
      throw new Fault('forbidden', `Cannot stop the daemon (process ${pid}): run the command with sudo`);
    throw error;
  }
  const deadline = Date.now() + patienceMs;
  while (daemonPid() === pid) {
    if (Date.now() > deadline) throw new Fault('unavailable', `The daemon (process ${pid}) does not end`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return true;
}
