/** `wherry compose start`: containers that are there, dependencies first. */
import {
  enableServices,
  isOneOff,
  listContainers,
  planStart,
  projectOfLabels,
  selectServices,
} from '../../compose/index.ts';
import { Fault } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';
import { Compose } from '../compose/open.ts';
import { doSteps } from '../compose/verbs.ts';

export const command: Command = {
  use: '[SERVICE...]',
  arity: atLeast(0),
  flags: `
      --dry-run   Print what would be done and why, and do nothing
`,
  completes: ['service'],
  examples: `
# Those that were stopped
wherry compose start`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { args } = invocation;
    const { project: loaded, name } = compose.projectOrName(args);
    const containers = (await listContainers(await session.client(), name)).filter((each) => !isOneOff(each));
    if (loaded === undefined && containers.length === 0)
      throw new Fault('not-found', `no container found for project "${name}": not found`);
    const known = loaded ?? projectOfLabels(name, { containers });
    const project = loaded ?? selectServices(enableServices(known, args), args);
    return doSteps(compose, project, { title: 'Running', steps: planStart(project, containers), containers });
  },
};
