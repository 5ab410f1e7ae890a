/** Builds of the past as people list and name them (docker/buildx, commands/history). */
import { askHistory, type Connect, type PastBuild } from '../../buildkit/index.ts';
import { Fault, humanDuration } from '../../std/index.ts';
import type { ListShape, Row } from '../output/list.ts';
import type { Session } from '../session.ts';

const canceled = 1;

export function connectTo(client: Awaited<ReturnType<Session['client']>>): Connect {
  return (door, headers) => client.caller.upgrade(door, 'h2c', headers);
}

export const pastShape: ListShape = {
  type: 'buildContext',
  headers: {
    Ref: 'BUILD ID',
    Name: 'NAME',
    Status: 'STATUS',
    CreatedAt: 'CREATED AT',
    Duration: 'DURATION',
    Steps: 'STEPS',
    Error: 'ERROR',
  },
  columns: ['Ref', 'Name', 'Status', 'CreatedAt', 'Duration', 'Steps'],
};

export function pastRow(build: PastBuild, now: number): Row {
  const { ref, createdAt, completedAt, error, steps } = build;
  const begun = createdAt === undefined ? now : Number(createdAt / 1_000_000n);
  const ended = completedAt === undefined ? now : Number(completedAt / 1_000_000n);
  return {
    Ref: ref,
    Name: nameOf(build),
    Status: statusOf(build),
    CreatedAt: `${humanDuration(Math.max(0, now - begun))} ago`,
    Duration: `${(Math.max(0, ended - begun) / 1000).toFixed(1)}s`,
    Steps: `${steps.completed}/${steps.total}${steps.cached > 0 ? `, ${steps.cached} cached` : ''}`,
    Error: error?.message ?? '',
  };
}

function statusOf({ completedAt, error }: PastBuild): string {
  if (completedAt === undefined) return 'Running';
  if (error === undefined) return 'Completed';
  return error.code === canceled ? 'Canceled' : 'Error';
}

/** The image it made, else what it was made from. */
function nameOf({ names, attributes }: PastBuild): string {
  const target = attributes.get('target') ?? '';
  const source = names[0] ?? attributes.get('context') ?? attributes.get('filename') ?? '';
  return target === '' ? source : `${source} (${target})`;
}

/**
 * The build of that name, or whose name begins so; '' and `^0` are the last one, `^1` the one before.
 * @throws Fault not-found, invalid
 */
export async function findBuild(connect: Connect, name: string): Promise<PastBuild> {
  const builds = await askHistory(connect, { filters: [] });
  const back = /^\^(\d+)$/.exec(name === '' ? '^0' : name);
  const found =
    back === null
      ? builds.filter(({ ref }) => ref === name || ref.startsWith(name))
      : builds.slice(Number(back[1]), Number(back[1]) + 1);
  if (found.length === 0) throw new Fault('not-found', `no record found for ref ${JSON.stringify(name)}`);
  const exact = found.find(({ ref }) => ref === name);
  if (exact === undefined && found.length > 1)
    throw new Fault('invalid', `${JSON.stringify(name)} begins the ids of ${found.length} builds`);
  return exact ?? found[0]!;
}
