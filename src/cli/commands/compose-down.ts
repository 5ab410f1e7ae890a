/** `wherry compose down`. */
import {
  inProject,
  imageNameOf,
  label,
  observe,
  orUndefined,
  planDown,
  type Project,
  projectOfLabels,
} from '../../compose/index.ts';
import type { Client } from '../../client/index.ts';
import { Fault } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';
import { Compose, timeoutOf } from '../compose/open.ts';
import { doSteps } from '../compose/verbs.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICES]',
  arity: atLeast(0),
  flags: `
      --dry-run          Print what would be done and why, and do nothing
      --remove-orphans   Remove containers for services not defined in the Compose file
      --rmi string       Remove images used by services. "local" remove only images that don't have a custom tag ("local"|"all")
  -t, --timeout int      Specify a shutdown timeout in seconds
  -v, --volumes          Remove named volumes declared in the "volumes" section of the Compose file and anonymous volumes attached to containers
`,
  hidden: `
      --volume   =volumes
`,
  completes: ['service'],
  completesFlags: { rmi: ['local', 'all'] },
  examples: `
# Containers and networks go, data stays
wherry compose down
# What would go with the data?
wherry compose down -v --dry-run`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const rmi = flags.string('rmi');
    if (rmi !== '' && rmi !== 'local' && rmi !== 'all')
      throw new Exit(1, `invalid value for --rmi: ${JSON.stringify(rmi)}`);
    const { project: loaded, name } = compose.projectOrName(args);
    const client = await session.client();
    const observed = await observe(client, name);
    const project = loaded ?? projectOfLabels(name, observed);
    const services = chosenServices(project, args, loaded !== undefined);
    if (args.length > 0 && services.length === 0) {
      session.err.write(`Any of the services [${args.join(' ')}] not running in project "${name}"\n`);
      return 0;
    }
    const removeOrphans = flags.bool('remove-orphans') || compose.isSet('COMPOSE_REMOVE_ORPHANS', loaded);
    const images = rmi === '' ? [] : await imagesOf(client, project, rmi, removeOrphans);
    const steps = planDown({
      project,
      observed,
      services,
      removeOrphans,
      volumes: flags.bool('volumes'),
      images,
      timeout: timeoutOf(flags),
    });
    if (steps.length === 0) compose.warn(`No resource found to remove for project "${name}".`);
    return doSteps(compose, project, { title: 'Running', steps, containers: observed.containers });
  },
};

/** Without files a name may be of what is gone already. @throws Fault not-found */
function chosenServices(project: Project, names: readonly string[], isFromFiles: boolean): string[] {
  return names.filter((name) => {
    if (name in project.services) return true;
    if (isFromFiles) throw new Fault('not-found', `no such service: ${name}`);
    return false;
  });
}

/** As docker compose's image pruner: those that were built for the project, and with `all` those its services name. */
async function imagesOf(client: Client, project: Project, mode: string, orphans: boolean): Promise<string[]> {
  const services = Object.values(project.services);
  const named = mode === 'all' ? services.flatMap(({ image }) => image ?? []) : [];
  const unnamed = services.filter(({ image }) => image === undefined).map((service) => imageNameOf(project, service));
  const present = await Promise.all(
    [...named, ...unnamed].map(async (name) =>
      (await orUndefined(client.images.inspect(name))) === undefined ? [] : [name],
    ),
  );
  const labelled = await client.images.list({ filters: { label: inProject(project.name), dangling: ['false'] } });
  const built = labelled
    .filter(({ Labels }) => orphans || (Labels?.[label.service] ?? '') in project.services)
    .flatMap(({ RepoTags }) => RepoTags.slice(0, 1));
  const bare = (name: string): string => name.replace(/:latest$/, '');
  return [...new Map([...present.flat(), ...built].map((name) => [bare(name), name])).values()].toSorted();
}
