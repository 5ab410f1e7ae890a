/** `pause` and `unpause`: all containers of some services. */
import {
  containerSubject,
  isOneOff,
  listContainers,
  nameOf,
  projectOfLabels,
  serviceOf,
  type Step,
} from '../../compose/index.ts';
import type { Invocation } from '../command.ts';
import type { Session } from '../session.ts';
import { Compose } from './open.ts';
import { doSteps } from './verbs.ts';

export async function pausing(session: Session, invocation: Invocation, verb: 'pause' | 'unpause'): Promise<number> {
  const compose = new Compose(session, invocation);
  const { args } = invocation;
  const { project: loaded, name } = compose.projectOrName(args);
  const state = verb === 'pause' ? 'running' : 'paused';
  const containers = (await listContainers(await session.client(), name)).filter(
    (each) =>
      !isOneOff(each) &&
      each.State === state &&
      (args.length === 0 || args.includes(serviceOf(each))) &&
      (loaded === undefined || serviceOf(each) in loaded.services),
  );
  const project = loaded ?? projectOfLabels(name, { containers });
  const steps = containers.map(
    (container): Step => ({
      kind: `container-${verb}`,
      container,
      subject: containerSubject(nameOf(container)),
      because: 'it was asked for',
      needs: [],
    }),
  );
  return doSteps(compose, project, { title: verb === 'pause' ? 'Pausing' : 'Running', steps, containers });
}
