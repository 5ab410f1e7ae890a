/** Where our daemon lives on this machine. */
import { join } from 'node:path';
import { packageFolder } from '../version.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export const socketPath = '/run/wherry/wherry.sock';
export const pidPath = '/run/wherry/wherryd.pid';
export const dataFolder = '/var/lib/wherry';
export const servicePath = '/etc/systemd/system/wherry.service';
export const socketUnitPath = '/etc/systemd/system/wherry.socket';

export function daemonProgram(): string {
  return join(packageFolder(), 'bin/wherryd');
}

/** The guide's page for who runs the service. */
export function manualPath(): string {
  return join(packageFolder(), 'docs/guide/operating.md');
}

/** Root's log, or a user's own. */
export function logPath(env: Environment): string {
  if (process.getuid?.() === 0) return '/var/log/wherry/wherryd.log';
  return `${env['XDG_STATE_HOME'] || `${env['HOME'] ?? ''}/.local/state`}/wherry/wherryd.log`;
}
