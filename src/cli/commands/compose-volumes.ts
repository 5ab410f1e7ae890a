/** `wherry compose volumes`. */
import { inProject, isOneOff, listContainers, noSuchService, serviceOf } from '../../compose/index.ts';
import { atLeast, type Command } from '../command.ts';
import { Compose } from '../compose/open.ts';
import { formatHelp } from '../output/format-help.ts';
import { formatList } from '../output/list.ts';
import { naturalOrder } from '../output/natural-order.ts';
import { volumeRow, volumeShape } from './volume-ls.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
      --format string   ${formatHelp} (default "table")
  -q, --quiet           Only display volume names
`,
  hidden: `
      --dry-run
`,
  completes: ['service'],
  examples: `
# Where the project's data is
wherry compose volumes`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const { project, name } = compose.projectOrName(args);
    const unknown = project === undefined ? undefined : args.find((each) => !(each in project.services));
    if (unknown !== undefined) throw noSuchService(unknown, Object.keys(project!.services));
    const client = await session.client();
    const { Volumes } = await client.volumes.list({ label: inProject(name) });
    const mounted = await usedBy(compose, name, args);
    const volumes = (Volumes ?? [])
      .filter(({ Name }) => args.length === 0 || mounted.has(Name))
      .toSorted((a, b) => naturalOrder(a.Name, b.Name));
    if (flags.bool('quiet')) {
      session.out.write(volumes.map(({ Name }) => `${Name}\n`).join(''));
      return;
    }
    session.out.write(await formatList(volumeShape, volumes.map(volumeRow), flags.string('format')));
  },
};

async function usedBy(compose: Compose, project: string, services: readonly string[]): Promise<Set<string>> {
  if (services.length === 0) return new Set();
  const containers = await listContainers(await compose.session.client(), project);
  return new Set(
    containers
      .filter((each) => !isOneOff(each) && services.includes(serviceOf(each)))
      .flatMap(({ Mounts }) => Mounts.flatMap(({ Name }) => Name ?? [])),
  );
}
