/** `wherry context create`. */
import { exactly, type Command } from '../command.ts';
import { Fault } from '../../std/index.ts';
import { checkContextName, endpointFromOptions, storeOf } from '../context/describe.ts';
import { stringMap } from '../context/string-map.ts';

export const command: Command = {
  use: '[OPTIONS] CONTEXT',
  flags: `
      --description string      Description of the context
      --docker stringToString   set the docker endpoint (default [])
      --from string             create context from a named context
`,
  arity: exactly(1),
  completes: ['none'],
  examples: `
# A daemon on another machine, through ssh
wherry context create far --docker host=ssh://me@server
wherry --context far ps`,
  async run(session, { flags, args: [name = ''] }) {
    checkContextName(name);
    const store = storeOf(session);
    if (store.has(name)) throw new Fault('conflict', `context "${name}" already exists`);
    const from = flags.string('from');
    const description = flags.string('description');
    const options = stringMap(flags.list('docker'));
    if (from !== '' && from !== 'default') {
      const source = store.read(from);
      store.write({
        ...source,
        Name: name,
        Metadata: { ...source.Metadata, ...(description === '' ? {} : { Description: description }) },
      });
      store.writeTls(name, store.readTls(from));
    } else if (from === 'default' || Object.keys(options).length > 0) {
      const { endpoint, tls } = endpointFromOptions(
        store,
        from === 'default' ? { host: (await session.endpoint()).endpoint.url } : options,
      );
      store.write({
        Name: name,
        Metadata: description === '' ? {} : { Description: description },
        Endpoints: { docker: endpoint },
      });
      store.writeTls(name, tls);
    } else throw new Fault('invalid', 'docker endpoint configuration is required');
    session.out.write(`${name}\n`);
    session.err.write(`Successfully created context "${name}"\n`);
  },
};
