/** `wherry compose wait`. */
import { listContainers, observe, planDown, projectOfLabels, serviceOf } from '../../compose/index.ts';
import { atLeast, type Command } from '../command.ts';
import { Compose } from '../compose/open.ts';
import { doSteps } from '../compose/verbs.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: 'SERVICE [SERVICE...] [OPTIONS]',
  arity: atLeast(1),
  flags: `
      --down-project   Drops project when the first container stops
      --dry-run        Print what would be done and why, and do nothing
`,
  completes: ['service'],
  examples: `
# The exit code of a job
wherry compose wait migrate`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const name = compose.projectName();
    const client = await session.client();
    const containers = (await listContainers(client, name)).filter(
      (each) => each.State === 'running' && args.includes(serviceOf(each)),
    );
    if (containers.length === 0) throw new Exit(1, `no containers for project ${JSON.stringify(name)}`);
    const ends = await Promise.all(
      containers.map(async ({ Id }) => {
        const { result } = await client.containers.wait(Id);
        const { StatusCode } = await result;
        session.out.write(`container "${Id}" exited with status code ${StatusCode}\n`);
        return StatusCode;
      }),
    );
    const code = ends.at(-1)!;
    if (!flags.bool('down-project')) return code;
    const observed = await observe(client, name);
    const project = projectOfLabels(name, observed);
    const request = {
      project,
      observed,
      services: [],
      removeOrphans: true,
      volumes: false,
      images: [],
      timeout: undefined,
    };
    await doSteps(compose, project, { title: 'Running', steps: planDown(request), containers: observed.containers });
    return code;
  },
};
