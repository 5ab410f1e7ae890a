/** `wherry system install`. */
import { noArgs, type Command } from '../command.ts';
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { Fault, writeFileAtomic } from '../../std/index.ts';
import { daemonProgram, manualPath, own, servicePath, socketPath, socketUnitPath } from '../daemon/paths.ts';
import { daemonSettings, dataRootOf } from '../daemon/settings.ts';
import { daemonPid, stopDaemon } from '../daemon/stop.ts';
import { hasSystemd, systemctl } from '../daemon/systemctl.ts';
import { serviceUnit, socketUnit, userServiceUnit } from '../daemon/units.ts';
import type { Session } from '../session.ts';
import { packageFolder } from '../version.ts';

export const command: Command = {
  use: '[OPTIONS]',
  long: `Writes the units wherry.service and wherry.socket, links wherry and wherryd into /usr/local/bin, and starts the daemon. Typed again,
it changes only what differs. A daemon that runs already is taken over; its containers run on. Settings of the daemon belong into
/etc/wherry/daemon.json, changes of the units into 'systemctl edit wherry.service'.
An ordinary user gets a service of his own, for a daemon without root: a unit for 'systemctl --user'.`,
  flags: `
      --group string   Group that may use the socket (default "docker" where there is one, else "root")
      --no-start       Install and enable only; the daemon starts with the machine
      --on-demand      Start the daemon with its first client, not with the machine: containers with a restart policy wait for it
      --print          Print the units and change nothing
`,
  arity: noArgs,
  examples: `
# Start with the machine, and again should it fail
sudo wherry system install
# See the units first
wherry system install --print
# Is all well?
wherry system doctor`,
  async run(session, { flags }) {
    if (own !== undefined) {
      if (flags.optional('group') !== undefined || flags.bool('on-demand'))
        throw new Fault(
          'invalid',
          "--group and --on-demand are for the service of root: a user's daemon has no socket unit",
        );
      await installForUser(session, { print: flags.bool('print'), start: !flags.bool('no-start') });
      return;
    }
    const group = flags.optional('group') ?? (hasGroup('docker') ? 'docker' : 'root');
    const units: readonly Unit[] = [
      {
        path: servicePath,
        text: serviceUnit({
          program: daemonProgram(),
          dataRoot: dataRootOf(daemonSettings()),
          manual: manualPath(),
        }),
      },
      { path: socketUnitPath, text: socketUnit({ path: socketPath, group }) },
    ];
    if (flags.bool('print')) {
      session.out.write(units.map(({ path, text }) => `# ${path}\n${text}`).join('\n'));
      return;
    }
    if (process.getuid?.() !== 0)
      throw new Fault('forbidden', "Cannot install the service: it needs root; type 'sudo wherry system install'");
    if (!hasSystemd()) {
      throw new Fault(
        'unavailable',
        "Cannot install the service: systemd does not run here; 'wherry system start' starts the daemon without it",
      );
    }
    if (!hasGroup(group))
      throw new Fault(
        'invalid',
        `Cannot give the socket to group "${group}": there is none; make it: groupadd ${group}`,
      );
    const changed = await writeUnits(units);
    for (const name of ['wherry', 'wherryd']) link(session, name);
    if (changed.length > 0) await systemctl('daemon-reload');
    await enable(session, {
      changed: changed.length > 0,
      onDemand: flags.bool('on-demand'),
      start: !flags.bool('no-start'),
    });
  },
};

/** @throws Fault unavailable where systemd does not run */
async function installForUser(session: Session, { print, start }: { print: boolean; start: boolean }): Promise<void> {
  const version = hasSystemd() ? await systemctl('--version') : 'systemd 254';
  const facts = { program: daemonProgram(), manual: manualPath(), systemd: Number(/\d+/.exec(version)?.[0] ?? 0) };
  const unit: Unit = { path: servicePath, text: userServiceUnit(facts) };
  if (print) {
    session.out.write(`# ${unit.path}\n${unit.text}`);
    return;
  }
  if (!hasSystemd()) {
    throw new Fault(
      'unavailable',
      "Cannot install the service: systemd does not run here; 'wherry system start' starts the daemon without it",
    );
  }
  mkdirSync(dirname(servicePath), { recursive: true });
  const changed = (await writeUnits([unit])).length > 0;
  if (changed) await systemctl('daemon-reload');
  await systemctl('enable', 'wherry.service');
  const done = changed ? `Installed ${servicePath}` : `${servicePath} is as it should be`;
  if (start) {
    const pid = daemonPid();
    if (pid !== undefined && String(pid) !== (await mainPid())) await stopDaemon();
    await systemctl(changed ? 'restart' : 'start', 'wherry.service');
  }
  const state = start ? `the daemon runs at unix://${socketPath}` : 'start it: systemctl --user start wherry';
  session.out.write(`${done}; ${state}\n`);
  if (!existsSync(`/var/lib/systemd/linger/${userInfo().username}`))
    session.out.write('It ends with your last session. To have it run from boot on: loginctl enable-linger\n');
}

interface Unit {
  readonly path: string;
  readonly text: string;
}

/** @returns those that were not as they should be */
async function writeUnits(units: readonly Unit[]): Promise<Unit[]> {
  const changed = units.filter(({ path, text }) => !existsSync(path) || readFileSync(path, 'utf8') !== text);
  for (const { path, text } of changed) await writeFileAtomic(path, text, { mode: 0o644 });
  return changed;
}

async function enable(
  session: Session,
  { changed, onDemand, start }: { changed: boolean; onDemand: boolean; start: boolean },
): Promise<void> {
  if (onDemand) await systemctl('disable', 'wherry.service');
  await systemctl('enable', 'wherry.socket', ...(onDemand ? [] : ['wherry.service']));
  const places = `${servicePath} and ${socketUnitPath}`;
  const done = changed ? `Installed ${places}` : `${places} are as they should be`;
  if (!start) {
    session.out.write(`${done}; start it: systemctl start wherry.socket wherry.service\n`);
    return;
  }
  const pid = daemonPid();
  // A socket of a daemon that systemd did not start is in the way of its own.
  if (pid !== undefined && String(pid) !== (await mainPid())) await stopDaemon();
  // The socket unit cannot be changed under a service that has its socket.
  if (changed) await systemctl('stop', 'wherry.socket', 'wherry.service');
  await systemctl('start', 'wherry.socket', ...(onDemand ? [] : ['wherry.service']));
  const state = onDemand ? 'the daemon starts with its first client' : 'the daemon runs and answers';
  session.out.write(`${done}; ${state} at unix://${socketPath}\n`);
}

async function mainPid(): Promise<string> {
  return (await systemctl('show', '-p', 'MainPID', '--value', 'wherry.service')).trim();
}

function link(session: Session, name: string): void {
  const path = join('/usr/local/bin', name);
  const target = join(packageFolder(), 'bin', name);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) symlinkSync(target, path);
  else if (!found.isSymbolicLink() || readlinkSync(path) !== target)
    session.err.write(`${path} is there already and leads elsewhere; this one is ${target}\n`);
}

function hasGroup(name: string): boolean {
  return (
    /^\d+$/.test(name) ||
    readFileSync('/etc/group', 'utf8')
      .split('\n')
      .some((line) => line.startsWith(`${name}:`))
  );
}
