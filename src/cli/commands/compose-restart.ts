/** `wherry compose restart`. */
import { enableServices, isOneOff, listContainers, planRestart, projectOfLabels } from '../../compose/index.ts';
import { atLeast, type Command } from '../command.ts';
import { Compose, timeoutOf } from '../compose/open.ts';
import { doSteps } from '../compose/verbs.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
      --dry-run       Print what would be done and why, and do nothing
      --no-deps       Don't restart dependent services
  -t, --timeout int   Specify a shutdown timeout in seconds
`,
  completes: ['service'],
  examples: `
# One service, and those that say 'restart: true' of their dependency on it
wherry compose restart db`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const { project: loaded, name } = compose.projectOrName();
    const containers = (await listContainers(await session.client(), name)).filter((each) => !isOneOff(each));
    const project = enableServices(loaded ?? projectOfLabels(name, { containers }), args);
    const dependents = !flags.bool('no-deps');
    const steps = planRestart({ project, containers, services: args, timeout: timeoutOf(flags), dependents });
    return doSteps(compose, project, { title: 'Restarting', steps, containers });
  },
};
