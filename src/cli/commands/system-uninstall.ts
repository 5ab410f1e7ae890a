/** `wherry system uninstall`. */
import { noArgs, type Command } from '../command.ts';
import { existsSync, lstatSync, readdirSync, readlinkSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, createClient } from '../../client/index.ts';
import { errorCode, Fault, messageOf, runProgram } from '../../std/index.ts';
import { dataFolder, own, servicePath, settingsPath, socketPath, socketUnitPath, unitNames } from '../daemon/paths.ts';
import { daemonSettings, dataRootOf } from '../daemon/settings.ts';
import { answers } from '../daemon/start.ts';
import { stopDaemon } from '../daemon/stop.ts';
import { hasSystemd, systemctl } from '../daemon/systemctl.ts';
import { confirm } from '../prompt.ts';
import type { Session } from '../session.ts';
import { packageFolder } from '../version.ts';

export const command: Command = {
  use: '[OPTIONS]',
  long: `Takes away what 'system install' and the daemon put into the system: units, links, firewall rules, socket. Images, containers and
volumes stay where they are, unless --data is given; settings in /etc/wherry stay in any case.`,
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
    if (own !== undefined) return uninstallForUser(session, { data: flags.bool('data'), force: flags.bool('force') });
    if (process.getuid?.() !== 0)
      throw new Fault('forbidden', "Cannot uninstall: it needs root; type 'sudo wherry system uninstall'");
    const force = flags.bool('force');
    const dataRoot = dataRootOf(daemonSettings());
    const client = createClient({ endpoint: `unix://${socketPath}` });
    const running = (await answers(client)) ? await client.containers.list({}) : [];
    if (running.length > 0) session.err.write(`${runningText(running.length)}\n`);
    if (
      !force &&
      !(await confirm(session, 'This stops the daemon and removes its service, firewall rules and links. Continue?'))
    )
      return 1;
    const question = `Remove all images, containers and volumes in ${dataRoot}? This cannot be undone.`;
    const wantsData = flags.bool('data') && existsSync(dataRoot);
    const remove = wantsData && (force || (await confirm(session, question)));
    // While there is a daemon: nothing else can end them, and their files are mounted.
    if (remove) await removeContainers(client);
    await removeService();
    await stopDaemon();
    await removeTables(session);
    for (const link of ['wherry', 'wherryd'].map((name) => join('/usr/local/bin', name))) removeLink(link);
    rmSync(socketPath, { force: true });
    session.out.write('The daemon, its service, firewall rules and links are gone\n');
    if (remove) {
      removeFolder(dataRoot);
      session.out.write(`Removed ${dataRoot}\n`);
    } else if (existsSync(dataRoot)) {
      session.out.write(
        `Images, containers and volumes are still in ${dataRoot}; remove them: wherry system uninstall --data\n`,
      );
    }
    if (existsSync(settingsPath)) session.out.write(`Settings are still in ${settingsPath}\n`);
    return 0;
  },
};

async function uninstallForUser(session: Session, { data, force }: { data: boolean; force: boolean }): Promise<number> {
  const client = createClient({ endpoint: `unix://${socketPath}` });
  const running = (await answers(client)) ? await client.containers.list({}) : [];
  if (running.length > 0) session.err.write(`${runningText(running.length)}\n`);
  if (!force && !(await confirm(session, 'This stops your daemon and removes its service. Continue?'))) return 1;
  const question = `Remove all images, containers and volumes in ${dataFolder}? This cannot be undone.`;
  const remove = data && existsSync(dataFolder) && (force || (await confirm(session, question)));
  if (remove) await removeContainers(client);
  if (hasSystemd() && existsSync(servicePath)) await systemctl('disable', '--now', ...unitNames);
  rmSync(servicePath, { force: true });
  if (hasSystemd()) await systemctl('daemon-reload');
  await stopDaemon();
  session.out.write('Your daemon and its service are gone\n');
  // Files of containers belong to ids that are yours only in a namespace.
  const asTheirOwner = ['unshare', '--user', '--map-auto', '--map-root-user', 'rm', '-rf', '--', dataFolder];
  if (remove) {
    const [program = '', ...args] = asTheirOwner;
    const { code, stderr } = await runProgram(program, args, {});
    if (code !== 0) throw new Fault('unavailable', `Cannot remove ${dataFolder}: ${stderr.trim()}`);
    session.out.write(`Removed ${dataFolder}\n`);
  } else if (existsSync(dataFolder)) {
    session.out.write(
      `Images, containers and volumes are still in ${dataFolder}; remove them: wherry system uninstall --data\n`,
    );
  }
  return 0;
}

function runningText(count: number): string {
  const [what, go, them] = count === 1 ? ['1 container runs', 'goes', 'it'] : [`${count} containers run`, 'go', 'them'];
  return `${what} and ${go} on without the daemon, unreachable from outside; to stop ${them} first: wherry stop $(wherry ps -q)`;
}

async function removeContainers(client: Client): Promise<void> {
  if (!(await answers(client))) return;
  for (const { Id } of await client.containers.list({ all: true }))
    await client.containers.remove(Id, { force: true, v: true });
}

async function removeService(): Promise<void> {
  if (hasSystemd() && existsSync(servicePath)) {
    await systemctl('disable', '--now', 'wherry.socket', 'wherry.service');
  }
  rmSync(servicePath, { force: true });
  rmSync(socketUnitPath, { force: true });
  if (hasSystemd()) await systemctl('daemon-reload');
}

/** Its content at least: a file system of its own stays mounted. */
function removeFolder(path: string): void {
  for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true, force: true });
  try {
    rmdirSync(path);
  } catch (error) {
    if (errorCode(error) !== 'EBUSY') throw error;
  }
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
