/** `wherry compose scale`. */
import { selectServices } from '../../compose/index.ts';
import { atLeast, type Command } from '../command.ts';
import { converge } from '../compose/converge.ts';
import { scaled } from '../compose/flags.ts';
import { cancelable, Compose, parseScales } from '../compose/open.ts';

export const command: Command = {
  use: '[SERVICE=REPLICAS...]',
  arity: atLeast(1),
  flags: `
      --dry-run   Print what would be done and why, and do nothing
      --no-deps   Don't start linked services
`,
  completes: ['service'],
  examples: `
# Three workers, one front end
wherry compose scale worker=3 web=1`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const scales = parseScales(invocation.args, (word) => `invalid scale specifier: ${word}`);
    const names = [...scales.keys()].toSorted();
    const loaded = compose.project(names);
    const chosen = invocation.flags.bool('no-deps') ? selectServices(loaded, names, { dependencies: false }) : loaded;
    const services = { ...chosen.services };
    for (const [name, scale] of scales) services[name] = scaled(services[name]!, scale);
    const project = { ...chosen, services };
    return cancelable((signal) => converge(compose, project, { start: true, signal, services: names }));
  },
};
