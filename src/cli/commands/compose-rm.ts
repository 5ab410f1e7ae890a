/** `wherry compose rm`: stopped containers of services. */
import {
  byName,
  type Container,
  containerSubject,
  isOneOff,
  listContainers,
  nameOf,
  planStop,
  type Project,
  projectOfLabels,
  serviceOf,
  type Step,
} from '../../compose/index.ts';
import { atLeast, type Command } from '../command.ts';
import { Compose } from '../compose/open.ts';
import { doSteps } from '../compose/verbs.ts';
import { confirm } from '../prompt.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  long: `
By default, anonymous volumes attached to containers will not be removed. You
can override this with -v. To list all volumes, use "wherry volume ls".

Any data which is not in a volume will be lost.`,
  flags: `
      --dry-run   Print what would be done and why, and do nothing
  -f, --force     Don't ask to confirm removal
  -s, --stop      Stop the containers, if required, before removing
  -v, --volumes   Remove any anonymous volumes attached to containers
`,
  hidden: `
  -a, --all
`,
  completes: ['service'],
  examples: `
# Stop and remove one service's containers
wherry compose rm -sf worker`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const { project: loaded, name } = compose.projectOrName(args);
    const client = await session.client();
    const all = (await listContainers(client, name)).filter((each) => !isOneOff(each));
    const project = loaded ?? projectOfLabels(name, { containers: all });
    const chosen = all
      .filter((each) => (args.length === 0 ? serviceOf(each) in project.services : args.includes(serviceOf(each))))
      .filter(({ State }) => flags.bool('stop') || State !== 'running')
      .toSorted(byName);
    if (chosen.length === 0) {
      compose.info.write('No stopped containers\n');
      return 0;
    }
    const message = `Going to remove ${chosen.map(nameOf).join(', ')}`;
    if (flags.bool('force')) session.out.write(`${message}\n`);
    else if (!compose.isDryRun && !(await confirm(session, message))) return 0;
    const steps = removals(project, chosen, { volumes: flags.bool('volumes'), services: args });
    return doSteps(compose, project, { title: 'Removing', steps, containers: all });
  },
};

/** Dependents are stopped before what they depend on. */
function removals(
  project: Project,
  containers: readonly Container[],
  { volumes, services }: { volumes: boolean; services: readonly string[] },
): Step[] {
  const stops = planStop({ project, containers, services, timeout: undefined });
  const stopOf = new Map(stops.map((step) => [step.kind === 'container-stop' ? step.container.Id : '', step]));
  const removed = containers.map((container): Step => {
    const stop = stopOf.get(container.Id);
    return {
      kind: 'container-remove',
      container,
      service: undefined,
      stop: false,
      timeout: undefined,
      volumes,
      subject: containerSubject(nameOf(container)),
      because: 'it was asked for',
      needs: stop === undefined ? [] : [stop],
    };
  });
  return [...stops, ...removed];
}
