/** `wherry compose events`. */
import { inProject, label } from '../../compose/index.ts';
import { formatNanosPadded } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';
import { cancelable, Compose } from '../compose/open.ts';
import { apiTimestamp } from '../output/timestamp.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
      --json           Output events as a stream of json objects
      --since string   Show all events created since timestamp
      --until string   Stream events until this timestamp
`,
  hidden: `
      --dry-run
`,
  completes: ['service'],
  examples: `
# What happens to the project from now on
wherry compose events --json`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const name = compose.projectName();
    const time = (flag: string): string | undefined => {
      const text = flags.string(flag);
      return text === '' ? undefined : apiTimestamp(text, session.now(), flag);
    };
    const client = await session.client();
    return cancelable(async (signal) => {
      const filters = { label: inProject(name), type: ['container'] };
      for await (const event of client.system.events({ since: time('since'), until: time('until') }, filters, signal)) {
        const { ID: id, Attributes: all } = event.Actor;
        const service = all[label.service] ?? '';
        if (all[label.oneOff] === 'True' || (args.length > 0 && !args.includes(service))) continue;
        const attributes = Object.fromEntries(
          Object.entries(all).filter(([key]) => !key.startsWith('com.docker.compose.')),
        );
        const stamp = formatNanosPadded(BigInt(event.timeNano));
        if (flags.bool('json')) {
          const line = { action: event.Action, attributes, id, service, time: stamp, type: 'container' };
          session.out.write(`${JSON.stringify(line)}\n`);
        } else {
          const shown = Object.entries(attributes).map(([key, value]) => `${key}=${value}`);
          const when = stamp.replace('T', ' ').replace(/(\.\d{6})\d*Z$/, '$1');
          session.out.write(`${when} container ${event.Action} ${id} (${shown.join(', ')})\n`);
        }
      }
    });
  },
};
