/** `wherry system uninstall`. */
import { noArgs, type Command } from '../command.ts';
import { existsSync, lstatSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Fault, messageOf, runProgram } from '../../std/index.ts';
import { dataFolder, servicePath, socketPath, socketUnitPath } from '../daemon/paths.ts';
import { stopDaemon } from '../daemon/stop.ts';
import { hasSystemd, systemctl } from '../daemon/systemctl.ts';
import { confirm } from '../prompt.ts';
import type { Session } from '../session.ts';
import { packageFolder } from '../version.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
      --data    Remove images, containers and volumes too
  -f, --force   Do not prompt for confirmation
`,
  arity: noArgs,
  examples: `
# Keep images and data
sudo wherry system uninstall
# Leave nothing behind
sudo wherry system uninstall --data`,
  async run(session, { flags }) {
    if (process.getuid?.() !== 0)
      throw new Fault('forbidden', "Cannot uninstall: it needs root; type 'sudo wherry system uninstall'");
    const force = flags.bool('force');
    if (
      !force &&
      !(await confirm(session, 'This stops the daemon and removes its service, firewall rules and links. Continue?'))
    )
      return 1;
    await removeService();
    await stopDaemon();
    await removeTables(session);
    for (const link of ['wherry', 'wherryd'].map((name) => join('/usr/local/bin', name))) removeLink(link);
    rmSync(socketPath, { force: true });
    session.out.write('The daemon, its service, firewall rules and links are gone\n');
    if (!existsSync(dataFolder)) return 0;
    const question = `Remove all images, containers and volumes in ${dataFolder}? This cannot be undone.`;
    const remove = flags.bool('data') && (force || (await confirm(session, question)));
    if (remove) {
      rmSync(dataFolder, { recursive: true, force: true });
      session.out.write(`Removed ${dataFolder}\n`);
    } else session.out.write(`Images, containers and volumes are still in ${dataFolder}\n`);
    return 0;
  },
};

async function removeService(): Promise<void> {
  if (hasSystemd() && existsSync(servicePath)) {
    await systemctl('disable', '--now', 'wherry.socket', 'wherry.service');
  }
  rmSync(servicePath, { force: true });
  rmSync(socketUnitPath, { force: true });
  if (hasSystemd()) await systemctl('daemon-reload');
}

/** The nft tables that the daemon made: all are called wherry something. */
async function removeTables(session: Session): Promise<void> {
  try {
    const { stdout } = await runProgram('nft', ['list', 'tables'], {});
    for (const line of stdout.split('\n')) {
      const [, family, name] = /^table (\w+) (wherry\S*)$/.exec(line) ?? [];
      if (family !== undefined && name !== undefined) await runProgram('nft', ['delete', 'table', family, name], {});
    }
  } catch (error) {
    session.err.write(`Cannot look for firewall rules: ${messageOf(error)}\n`);
  }
}

/** Only links into this package. */
function removeLink(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isSymbolicLink() === true && readlinkSync(path).startsWith(packageFolder())) rmSync(path);
}
