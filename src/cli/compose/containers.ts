/** One container of a service: the one with the lowest number, or of the number asked for; one-off ones last. */
import { type Container, isOneOff, label, listContainers, numberOf } from '../../compose/index.ts';
import { Fault } from '../../std/index.ts';
import type { Compose } from './open.ts';

/** @throws Fault not-found in docker compose's words */
export async function containerOf(
  compose: Compose,
  service: string,
  options: { all: boolean; oneOffs: boolean },
): Promise<Container> {
  const client = await compose.session.client();
  const index = compose.flags.knows('index') ? compose.flags.integer('index') : 0;
  const found = (await listContainers(client, compose.projectName(), [service]))
    .filter((each) => options.all || each.State === 'running' || each.State === 'paused')
    .filter((each) => options.oneOffs || !isOneOff(each))
    .filter((each) => index === 0 || each.Labels[label.number] === String(index))
    .toSorted((a, b) => Number(isOneOff(a)) - Number(isOneOff(b)) || numberOf(a) - numberOf(b));
  const [first] = found;
  if (first !== undefined) return first;
  const which =
    index > 0 ? `service "${service}" is not running container #${index}` : `service "${service}" is not running`;
  throw new Fault('not-found', `${which}\nSee what is there with 'wherry compose ps -a'.`);
}
