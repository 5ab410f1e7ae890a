/** `wherry system status`. */
import { noArgs, type Command } from '../command.ts';
import { existsSync } from 'node:fs';
import { createClient } from '../../client/index.ts';
import { logPath, own, servicePath, socketPath } from '../daemon/paths.ts';
import { answers } from '../daemon/start.ts';
import { daemonPid } from '../daemon/stop.ts';
import { hasSystemd, systemctl } from '../daemon/systemctl.ts';

export const command: Command = {
  use: '',
  flags: ``,
  arity: noArgs,
  examples: `
# Exit code 3 when it does not run
wherry system status`,
  async run(session) {
    const client = createClient({ endpoint: `unix://${socketPath}` });
    const runs = await answers(client);
    const pid = daemonPid();
    const service = existsSync(servicePath);
    const lines = [
      `Daemon:  ${runs ? `runs${pid === undefined ? '' : ` (process ${pid})`}` : 'does not run'}`,
      `Socket:  ${socketPath}${existsSync(socketPath) ? '' : ' (absent)'}`,
      `Service: ${service ? await serviceText() : 'not installed'}`,
      `Log:     ${service && hasSystemd() ? `journalctl ${own === undefined ? '-u' : '--user -u'} wherry` : logPath(session.env)}`,
    ];
    if (runs) {
      const { Version, ApiVersion } = await client.system.version();
      lines.push(`Engine:  ${Version} (API ${ApiVersion})`);
    }
    session.out.write(`${lines.join('\n')}\n`);
    return runs ? 0 : 3;
  },
};

/** As systemd sees it: "active (running), enabled". */
async function serviceText(): Promise<string> {
  if (!hasSystemd()) return `${servicePath} (systemd does not run here)`;
  try {
    const words = ['ActiveState', 'SubState', 'UnitFileState'].flatMap((name) => ['-p', name]);
    const shown = await systemctl('show', ...words, 'wherry.service');
    const value = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(shown)?.[1] ?? 'unknown';
    return `${servicePath} (${value('ActiveState')} (${value('SubState')}), ${value('UnitFileState')})`;
  } catch {
    return servicePath;
  }
}
