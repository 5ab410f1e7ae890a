/** `wherry network connect`. */
import { exactly, type Command } from '../command.ts';

export const command: Command = {
  use: '[OPTIONS] NETWORK CONTAINER',
  flags: `
      --alias strings           Add network-scoped alias for the container
      --driver-opt strings      driver options for the network
      --gw-priority int         Highest gw-priority provides the default gateway. Accepts positive and negative values.
      --ip string               IPv4 address (e.g., "172.30.100.104")
      --ip6 string              IPv6 address (e.g., "2001:db8::33")
      --link list               Add link to another container
      --link-local-ip strings   Add a link-local address for the container
`,
  arity: exactly(2),
  completes: ['network', 'container'],
  examples: `
# A running container joins, and has a second name there
wherry network connect --alias db app postgres`,
  async run(session, { flags, args: [network = '', container = ''] }) {
    const client = await session.client();
    const IPv4Address = flags.string('ip');
    const IPv6Address = flags.string('ip6');
    const LinkLocalIPs = flags.list('link-local-ip');
    const options = flags.map('driver-opt');
    const addressed = IPv4Address !== '' || IPv6Address !== '' || LinkLocalIPs.length > 0;
    await client.networks.connect(network, container, {
      IPAMConfig: addressed
        ? {
            ...(IPv4Address === '' ? {} : { IPv4Address }),
            ...(IPv6Address === '' ? {} : { IPv6Address }),
            ...(LinkLocalIPs.length === 0 ? {} : { LinkLocalIPs: [...LinkLocalIPs] }),
          }
        : null,
      Links: flags.list('link').length === 0 ? null : [...flags.list('link')],
      Aliases: flags.list('alias').length === 0 ? null : [...flags.list('alias')],
      DriverOpts: Object.keys(options).length === 0 ? null : options,
      GwPriority: flags.integer('gw-priority'),
    });
  },
};
