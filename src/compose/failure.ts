/** What a person needs to know when a project does not come up: who failed, what it said last, and how all the others are. */
import { rawFrames, readFrames, type Client } from '../client/index.ts';
import { WaitFault } from './apply/wait.ts';
import { Lines } from './lines.ts';
import { byName, isOneOff, shortNameOf } from './names.ts';
import { listContainers, orUndefined } from './observe.ts';

const lastLines = 10;

/** Text to be said after the error's own; empty where nothing is known. */
export async function failureReport(client: Client, project: string, error: unknown): Promise<string> {
  const about = error instanceof WaitFault ? await containerReport(client, error.container) : '';
  const containers = (await listContainers(client, project)).filter((each) => !isOneOff(each)).toSorted(byName);
  if (containers.length === 0) return about;
  const width = Math.max(...containers.map((each) => shortNameOf(each).length));
  const states = containers.map((each) => `  ${shortNameOf(each).padEnd(width)}  ${each.Status || each.State}\n`);
  return `${about}The project's containers now:\n${states.join('')}`;
}

async function containerReport(client: Client, name: string): Promise<string> {
  const container = await orUndefined(client.containers.inspect(name));
  if (container === undefined) return '';
  const { State, Config } = container;
  const health = State.Health?.Log.at(-1);
  const lines = await lastSaid(client, container.Id, Config.Tty === true);
  const parts: string[] = [];
  if (State.Status === 'exited') {
    const why = State.OOMKilled ? ', out of memory' : State.Error === '' ? '' : `, ${State.Error}`;
    parts.push(`${name} ended with exit code ${State.ExitCode}${why}.\n`);
  } else if (State.Health?.Status === 'unhealthy')
    parts.push(`${name} is unhealthy: its check failed ${State.Health.FailingStreak} times in a row.\n`);
  if (health !== undefined && State.Health?.Status === 'unhealthy')
    parts.push(`The last check (exit code ${health.ExitCode}) said:\n${indented(health.Output.trimEnd().split('\n'))}`);
  parts.push(lines.length === 0 ? 'It has logged nothing.\n' : `The last it logged:\n${indented(lines)}`);
  parts.push(`See all with 'wherry logs ${name}'.\n`);
  return parts.join('');
}

async function lastSaid(client: Client, id: string, tty: boolean): Promise<string[]> {
  const said: string[] = [];
  const lines = new Lines((line) => said.push(line.replace(/\r$/, '')));
  try {
    const body = await client.containers.logs(id, { stdout: true, stderr: true, tail: String(lastLines) });
    for await (const { data } of (tty ? rawFrames : readFrames)(body)) lines.add(data);
  } catch {
    // A log driver that cannot be read: what is known is said all the same.
  }
  lines.end();
  return said;
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}\n`).join('');
}
