/** `wherry compose cp`. */
import { byName, type Container, isOneOff, label, listContainers } from '../../compose/index.ts';
import { Fault } from '../../std/index.ts';
import { exactly, type Command } from '../command.ts';
import { delegate } from '../compose/delegate.ts';
import { Compose } from '../compose/open.ts';
import { command as cpCommand } from './cp.ts';

export const command: Command = {
  use: '[OPTIONS] SERVICE:SRC_PATH DEST_PATH|-\n[OPTIONS] SRC_PATH|- SERVICE:DEST_PATH',
  arity: exactly(2),
  flags: `
      --all           Include containers created by the run command
  -a, --archive       Archive mode (copy all uid/gid information)
  -L, --follow-link   Always follow symbol link in SRC_PATH
      --index int     Index of the container if service has multiple replicas
`,
  hidden: `
      --dry-run
`,
  completes: ['service', 'file'],
  examples: `
# Into every container of the service
wherry compose cp site/. web:/usr/share/nginx/html
# Out of one
wherry compose cp --index 2 web:/etc/hostname .`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const [source, target] = args.map(splitPlace) as [Place, Place];
    if (source.service !== undefined && target.service !== undefined)
      throw new Fault('invalid', 'copying between services is not supported');
    const service = source.service ?? target.service;
    if (service === undefined) throw new Fault('invalid', 'unknown copy direction');
    const containers = await targets(compose, service, source.service !== undefined);
    const words = [...(flags.bool('archive') ? ['-a'] : []), ...(flags.bool('follow-link') ? ['-L'] : [])];
    const place = ({ service: own, path }: Place, { Id }: Container): string =>
      own === undefined ? path : `${Id}:${path}`;
    for (const container of containers)
      await delegate(
        session,
        cpCommand,
        [...words, place(source, container), place(target, container)],
        invocation.path,
      );
  },
};

interface Place {
  service: string | undefined;
  path: string;
}

/** A local path with a colon begins with a slash or a dot. */
function splitPlace(text: string): Place {
  const colon = text.indexOf(':');
  if (/^[./]/.test(text) || colon <= 0) return { service: undefined, path: text };
  return { service: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** All of a service's containers to copy to; one to copy from. @throws Fault not-found */
async function targets(compose: Compose, service: string, isSource: boolean): Promise<Container[]> {
  const { flags, session } = compose;
  const index = flags.integer('index');
  const all = (await listContainers(await session.client(), compose.projectName(), [service]))
    .filter((each) => flags.bool('all') || !isOneOff(each))
    .filter((each) => index === 0 || each.Labels[label.number] === String(index))
    .toSorted(byName);
  if (all.length === 0) throw new Fault('not-found', `no container found for service "${service}"`);
  return isSource ? all.slice(0, 1) : all;
}
