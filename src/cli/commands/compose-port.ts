/** `wherry compose port`. */
import { nameOf } from '../../compose/index.ts';
import { exactly, type Command } from '../command.ts';
import { containerOf } from '../compose/containers.ts';
import { Compose } from '../compose/open.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS] SERVICE PRIVATE_PORT',
  arity: exactly(2),
  flags: `
      --index int         Index of the container if service has multiple replicas
      --protocol string   tcp or udp (default "tcp")
`,
  hidden: `
      --dry-run
`,
  completes: ['service', 'none'],
  examples: `
# Where on this machine its port is
wherry compose port web 80`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const [service = '', text = ''] = args;
    if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
      throw new Exit(1, `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
    const protocol = flags.string('protocol').toLowerCase();
    const container = await containerOf(compose, service, { all: false, oneOffs: true });
    const port = container.Ports.find(({ PrivatePort, Type }) => PrivatePort === Number(text) && Type === protocol);
    if (port === undefined) {
      const there = container.Ports.map(({ PublicPort = 0, Type }) => `${PublicPort}/${Type}`).join(', ');
      throw new Exit(1, `no port ${text}/${protocol} for container ${nameOf(container)}: ${there}`);
    }
    session.out.write(`${port.IP ?? ''}:${port.PublicPort ?? 0}\n`);
  },
};
