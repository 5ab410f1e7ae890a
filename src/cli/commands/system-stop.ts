/** `wherry system stop`. */
import { noArgs, type Command } from '../command.ts';
import { existsSync } from 'node:fs';
import { servicePath, unitNames } from '../daemon/paths.ts';
import { stopDaemon } from '../daemon/stop.ts';
import { hasSystemd, systemctl } from '../daemon/systemctl.ts';

export const command: Command = {
  use: '',
  flags: ``,
  arity: noArgs,
  examples: `
# Containers go on; the next start finds them
wherry system stop`,
  async run(session) {
    if (hasSystemd() && existsSync(servicePath)) await systemctl('stop', ...unitNames);
    const stopped = await stopDaemon();
    session.out.write(stopped ? 'The daemon has stopped; containers go on\n' : 'The daemon does not run\n');
  },
};
