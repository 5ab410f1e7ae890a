/** `wherry system install`. */
import { noArgs, type Command } from '../command.ts';
import { existsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../std/index.ts';
import { daemonProgram, servicePath, socketPath, socketUnitPath } from '../daemon/paths.ts';
import { hasSystemd, systemctl } from '../daemon/systemctl.ts';
import { serviceUnit, socketUnit } from '../daemon/units.ts';
import { packageFolder } from '../version.ts';

export const command: Command = {
  use: '',
  flags: ``,
  arity: noArgs,
  examples: `
# Start with the machine, and again should it fail
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
    writeFileSync(servicePath, serviceUnit(daemonProgram()), { mode: 0o644 });
    writeFileSync(socketUnitPath, socketUnit(socketPath), { mode: 0o644 });
    for (const name of ['wherry', 'wherryd']) {
      const link = join('/usr/local/bin', name);
      if (!existsSync(link)) symlinkSync(join(packageFolder(), 'bin', name), link);
    }
    await systemctl('daemon-reload');
    await systemctl('enable', '--now', 'wherry.socket', 'wherry.service');
    session.out.write(`Installed ${servicePath}; the daemon runs and answers at unix://${socketPath}\n`);
  },
};
