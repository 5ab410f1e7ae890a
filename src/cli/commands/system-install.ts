/** `wherry system install`. */
import { noArgs, type Command } from '../command.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../std/index.ts';
import { placeFile, placeLink } from '../daemon/install.ts';
import { daemonProgram, servicePath, socketPath, socketUnitPath } from '../daemon/paths.ts';
import { stopDaemon } from '../daemon/stop.ts';
import { hasSystemd, isActive, systemctl } from '../daemon/systemctl.ts';
import { serviceUnit, socketGroup, socketUnit } from '../daemon/units.ts';
import { packageFolder } from '../version.ts';

export const command: Command = {
  use: '',
  flags: ``,
  arity: noArgs,
  examples: `
# Start with the machine, and again should it fail; after an upgrade, write the units anew (containers run on)
sudo wherry system install`,
  async run(session) {
    if (process.getuid?.() !== 0)
      throw new Fault('forbidden', "Cannot install the service: it needs root; type 'sudo wherry system install'");
    if (!hasSystemd()) {
      throw new Fault(
        'unavailable',
        "Cannot install the service: systemd does not run here; 'wherry system start' starts the daemon without it",
      );
    }
    const running = await isActive('wherry.service');
    const group = socketGroup(readFileSync('/etc/group', 'utf8'));
    const changed = [
      await placeFile(servicePath, serviceUnit(daemonProgram())),
      await placeFile(socketUnitPath, socketUnit(socketPath, group)),
    ].includes(true);
    for (const name of ['wherry', 'wherryd']) {
      const link = join('/usr/local/bin', name);
      if (!placeLink(link, join(packageFolder(), 'bin', name)))
        session.err.write(`${link} is something else and stays as it is\n`);
    }
    await systemctl('daemon-reload');
    // One that was started by hand has the socket; containers do not notice.
    if (!running) await stopDaemon();
    await systemctl('enable', '--now', 'wherry.socket', 'wherry.service');
    if (running && changed) await systemctl('restart', 'wherry.socket', 'wherry.service');
    session.out.write(
      `${changed ? 'Installed' : 'Nothing to change in'} ${servicePath}; the daemon runs and answers at unix://${socketPath}\n`,
    );
  },
};
