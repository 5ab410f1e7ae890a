/** `wherry compose kill`. */
import {
  containerSubject,
  listContainers,
  nameOf,
  projectOfLabels,
  serviceOf,
  type Step,
} from '../../compose/index.ts';
import { atLeast, type Command } from '../command.ts';
import { Compose } from '../compose/open.ts';
import { doSteps } from '../compose/verbs.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
      --dry-run          Print what would be done and why, and do nothing
      --remove-orphans   Remove containers for services not defined in the Compose file
  -s, --signal string    SIGNAL to send to the container (default "SIGKILL")
`,
  completes: ['service'],
  examples: `
# Reload a server's configuration
wherry compose kill -s HUP web`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const { project: loaded, name } = compose.projectOrName(args);
    const all = (await listContainers(await session.client(), name)).filter(({ State }) => State === 'running');
    const project = loaded ?? projectOfLabels(name, { containers: all });
    const orphans = flags.bool('remove-orphans') || compose.isSet('COMPOSE_REMOVE_ORPHANS', loaded);
    const containers = all.filter(
      (each) =>
        (orphans || serviceOf(each) in project.services) && (args.length === 0 || args.includes(serviceOf(each))),
    );
    if (containers.length === 0) {
      compose.info.write('no container to kill');
      return 0;
    }
    const steps = containers.map(
      (container): Step => ({
        kind: 'container-kill',
        container,
        signal: flags.string('signal'),
        subject: containerSubject(nameOf(container)),
        because: 'it was asked for',
        needs: [],
      }),
    );
    return doSteps(compose, project, { title: 'Killing', steps, containers });
  },
};
