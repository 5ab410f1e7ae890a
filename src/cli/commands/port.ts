/** `wherry port`. */
import type { Command } from '../command.ts';
import { naturalOrder } from '../output/natural-order.ts';
import { Fault } from '../../std/index.ts';

export const command: Command = {
  use: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  arity: { min: 1, max: 2 },
  completes: ['running', 'none'],
  examples: `
# All of them
wherry port web
# Where port 80 can be reached
wherry port web 80`,
  async run(session, { args: [name = '', wanted] }) {
    const client = await session.client();
    const { NetworkSettings } = await client.containers.inspect(name);
    const ports = NetworkSettings.Ports ?? {};
    const host = (ip: string | undefined, port: string | undefined): string =>
      `${ip?.includes(':') === true ? `[${ip}]` : (ip ?? '')}:${port ?? ''}`;
    if (wanted !== undefined) {
      const [number = '', protocol = 'tcp'] = wanted.split('/');
      if (!/^\d{1,5}$/.test(number)) throw new Fault('invalid', `invalid port '${number}': invalid syntax`);
      const bindings = ports[`${number}/${protocol}`];
      if (bindings == null || bindings.length === 0) {
        throw new Fault('not-found', `Error: No public port '${wanted}' published for ${name}`);
      }
      session.out.write(bindings.map(({ HostIp, HostPort }) => `${host(HostIp, HostPort)}\n`).join(''));
      return;
    }
    const lines = Object.entries(ports).flatMap(([port, bindings]) =>
      (bindings ?? []).map(({ HostIp, HostPort }) => `${port} -> ${host(HostIp, HostPort)}`),
    );
    lines.sort(naturalOrder);
    session.out.write(lines.map((line) => `${line}\n`).join(''));
  },
};
