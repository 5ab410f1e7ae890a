/** Where an ordinary user's own daemon keeps things: the XDG base directories, as Docker's rootless mode has them. */
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

export interface UserFolders {
  /** What lasts: images, containers, volumes. */
  data: string;
  /** Until the user logs out for good, or the machine goes down: the socket, what runs. */
  run: string;
  config: string;
}

/** Set for the daemon that runs in a user's namespaces: the folder through which it talks with the host (room `rootless`). */
export const rootlessVariable = 'WHERRY_ROOTLESS';

export function userFolders(
  env: Readonly<Record<string, string | undefined>>,
  uid: number = process.getuid?.() ?? 0,
): UserFolders {
  const home = env['HOME'] || homedir();
  const data = join(env['XDG_DATA_HOME'] || join(home, '.local/share'), 'wherry');
  const config = join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'wherry');
  const state = env[rootlessVariable];
  if (state) return { data, config, run: dirname(state) };
  const session = env['XDG_RUNTIME_DIR'] || `/run/user/${uid}`;
  return { data, config, run: isOwn(session, uid) ? join(session, 'wherry') : join(data, 'run') };
}

function isOwn(folder: string, uid: number): boolean {
  try {
    const stat = statSync(folder);
    return stat.isDirectory() && stat.uid === uid;
  } catch {
    return false;
  }
}
