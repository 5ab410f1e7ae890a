/** `wherry compose export`. */
import { exactly, type Command } from '../command.ts';
import { containerOf } from '../compose/containers.ts';
import { delegate } from '../compose/delegate.ts';
import { Compose } from '../compose/open.ts';
import { command as exportCommand } from './export.ts';

export const command: Command = {
  use: '[OPTIONS] SERVICE',
  arity: exactly(1),
  flags: `
      --index int       index of the container if service has multiple replicas.
  -o, --output string   Write to a file, instead of STDOUT
`,
  hidden: `
      --dry-run
`,
  completes: ['service'],
  completesFlags: { output: 'file' },
  examples: `
# A service's files, as a tar archive
wherry compose export -o web.tar web`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const container = await containerOf(compose, invocation.args[0]!, { all: true, oneOffs: true });
    const output = invocation.flags.string('output');
    const words = [...(output === '' ? [] : [`--output=${output}`]), container.Id];
    return delegate(session, exportCommand, words, invocation.path);
  },
};
