/** `wherry compose stop`. */
import { isOneOff, listContainers, planStop, projectOfLabels } from '../../compose/index.ts';
import { atLeast, type Command } from '../command.ts';
import { Compose, timeoutOf } from '../compose/open.ts';
import { doSteps } from '../compose/verbs.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
      --dry-run       Print what would be done and why, and do nothing
  -t, --timeout int   Specify a shutdown timeout in seconds
`,
  completes: ['service'],
  examples: `
# All of it; 'wherry compose start' brings it back
wherry compose stop`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const { project: loaded, name } = compose.projectOrName(args);
    const containers = (await listContainers(await session.client(), name)).filter((each) => !isOneOff(each));
    const project = loaded ?? projectOfLabels(name, { containers });
    const steps = planStop({ project, containers, services: args, timeout: timeoutOf(flags) });
    return doSteps(compose, project, { title: 'Stopping', steps, containers });
  },
};
