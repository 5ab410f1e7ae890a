/** Where our daemon lives on this machine. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { userFolders, type UserFolders } from '../../std/index.ts';
import { packageFolder } from '../version.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const rootSocket = '/run/wherry/wherry.sock';
const rootService = '/etc/systemd/system/wherry.service';

/** Of an ordinary user's own daemon; undefined for root, and for users of a machine where root's is installed and none of their own. */
export const own: UserFolders | undefined = ownFolders();

function ownFolders(): UserFolders | undefined {
  if (process.getuid?.() === 0) return undefined;
  const folders = userFolders(process.env);
  const isRoots = existsSync(rootSocket) || existsSync(rootService);
  return isRoots && !existsSync(folders.data) ? undefined : folders;
}

export const socketPath = own === undefined ? rootSocket : join(own.run, 'wherry.sock');
export const pidPath = own === undefined ? '/run/wherry/wherryd.pid' : join(own.run, 'rootless/launcher.json');
export const dataFolder = own?.data ?? '/var/lib/wherry';
export const servicePath = own === undefined ? rootService : join(own.config, '../systemd/user/wherry.service');
/** Root's: a user's daemon has no socket unit. */
export const socketUnitPath = '/etc/systemd/system/wherry.socket';
export const settingsPath = own === undefined ? '/etc/wherry/daemon.json' : join(own.config, 'daemon.json');
/** What systemctl(1) starts and stops. */
export const unitNames = own === undefined ? ['wherry.socket', 'wherry.service'] : ['wherry.service'];

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
