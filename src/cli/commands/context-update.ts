/** `wherry context update`. */
import { exactly, type Command } from '../command.ts';
import { checkContextName, endpointFromOptions, storeOf } from '../context/describe.ts';
import { stringMap } from '../context/string-map.ts';

export const command: Command = {
  use: '[OPTIONS] CONTEXT',
  flags: `
      --description string      Description of the context
      --docker stringToString   set the docker endpoint (default [])
`,
  arity: exactly(1),
  completes: ['context'],
  examples: `
# It moved
wherry context update far --docker host=ssh://me@new-server`,
  async run(session, { flags, args: [name = ''] }) {
    checkContextName(name);
    const store = storeOf(session);
    const meta = store.read(name);
    const description = flags.string('description');
    if (description !== '') meta.Metadata.Description = description;
    const options = stringMap(flags.list('docker'));
    if (Object.keys(options).length > 0) {
      const { endpoint, tls } = endpointFromOptions(store, options);
      meta.Endpoints['docker'] = endpoint;
      store.writeTls(name, tls);
    }
    store.write(meta);
    session.out.write(`${name}\n`);
    session.err.write(`Successfully updated context "${name}"\n`);
  },
};
