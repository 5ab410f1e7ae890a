/** Containers: everything but their streams. */
import type { PruneReport } from '../../api/index.ts';
import { versionText } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import { parseConfig, parseCreateBody, parseUpdateBody } from '../body/container.ts';
import type { Call } from '../call.ts';
import { applyDeltas, containerDeltas, containerSummaryDeltas, createDeltas, updateDeltas } from '../deltas.ts';
import { empty, json, type Reply } from '../http/reply.ts';

const listFilters = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];

export async function list(call: Call): Promise<Reply> {
  const summaries = await call.engine.containers.list({
    all: call.query.boolean('all'),
    limit: Math.max(call.query.integer('limit') ?? 0, 0),
    size: call.query.boolean('size'),
    filters: call.query.filters(listFilters),
  });
  return json(summaries.map((summary) => applyDeltas(containerSummaryDeltas, call.version, summary)));
}

export async function create(call: Call): Promise<Reply> {
  const body = applyDeltas(createDeltas, call.version, parseCreateBody(await call.requiredJson()));
  const created = await call.engine.containers.create({
    name: call.query.text('name'),
    platform: call.version < 41 ? undefined : call.query.text('platform'),
    body,
    apiVersion: versionText(call.version),
  });
  return json(created, 201);
}

export async function inspect(call: Call): Promise<Reply> {
  const container = await call.engine.containers.inspect(call.name, { size: call.query.boolean('size') });
  return json(applyDeltas(containerDeltas, call.version, container));
}

export async function start(call: Call): Promise<Reply> {
  const { length } = call.body;
  if (length === undefined || length > 7) {
    throw new Fault(
      'invalid',
      'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
    );
  }
  await call.engine.containers.start(call.name);
  return empty(204);
}

export async function stop(call: Call): Promise<Reply> {
  await call.engine.containers.stop(call.name, stopOptions(call));
  return empty(204);
}

export async function restart(call: Call): Promise<Reply> {
  await call.engine.containers.restart(call.name, stopOptions(call));
  return empty(204);
}

function stopOptions(call: Call): { signal: string | undefined; timeoutSeconds: number | undefined } {
  return {
    signal: call.version < 42 ? undefined : call.query.text('signal'),
    timeoutSeconds: call.query.integer('t'),
  };
}

export async function kill(call: Call): Promise<Reply> {
  try {
    await call.engine.containers.kill(call.name, call.query.text('signal'));
  } catch (error) {
    if (!(error instanceof Fault) || error.kind !== 'not-found') throw error;
    throw new Fault('not-found', `cannot kill container: ${call.name}: ${error.message}`, { cause: error });
  }
  return empty(204);
}

export async function pause(call: Call): Promise<Reply> {
  await call.engine.containers.pause(call.name);
  return empty(204);
}

export async function unpause(call: Call): Promise<Reply> {
  await call.engine.containers.unpause(call.name);
  return empty(204);
}

export async function rename(call: Call): Promise<Reply> {
  const name = call.query.text('name');
  if (name === undefined) throw new Fault('invalid', 'Neither old nor new names may be empty');
  await call.engine.containers.rename(call.name, name);
  return empty(204);
}

export async function update(call: Call): Promise<Reply> {
  const body = applyDeltas(updateDeltas, call.version, parseUpdateBody(await call.requiredJson()));
  return json(await call.engine.containers.update(call.name, body));
}

export async function remove(call: Call): Promise<Reply> {
  await call.engine.containers.remove(call.name, {
    volumes: call.query.boolean('v'),
    force: call.query.boolean('force'),
    link: call.query.boolean('link'),
  });
  return empty(204);
}

export async function prune(call: Call): Promise<Reply> {
  const report = await call.engine.containers.prune(call.query.filters(['until', 'label', 'label!']));
  return json({ ContainersDeleted: namesOrNull(report), SpaceReclaimed: report.reclaimed });
}

/** Docker prints null for "none". */
export function namesOrNull(report: PruneReport): string[] | null {
  return report.deleted.length === 0 ? null : report.deleted;
}

export async function resize(call: Call): Promise<Reply> {
  await call.engine.containers.resize(call.name, sizeOf(call));
  return empty(200);
}

/** The terminal size in `h` and `w`. @throws Fault invalid */
export function sizeOf(call: Call): { height: number; width: number } {
  const side = (key: string): number => {
    const value = call.query.integer(key);
    if (value === undefined || value < 0 || value > 0xffff) {
      throw new Fault('invalid', `invalid query parameter "${key}": want a number from 0 to 65535`);
    }
    return value;
  };
  return { height: side('h'), width: side('w') };
}

export async function top(call: Call): Promise<Reply> {
  return json(await call.engine.containers.top(call.name, call.query.text('ps_args') ?? '-ef'));
}

export async function changes(call: Call): Promise<Reply> {
  const found = await call.engine.containers.changes(call.name);
  return json(found.length === 0 ? null : found);
}

export async function commit(call: Call): Promise<Reply> {
  const ref = call.query.text('container');
  if (ref === undefined) throw new Fault('invalid', 'Cannot commit: query parameter "container" is missing');
  const config = await call.json();
  const created = await call.engine.containers.commit({
    ref,
    repo: call.query.text('repo'),
    tag: call.query.text('tag'),
    comment: call.query.text('comment') ?? '',
    author: call.query.text('author') ?? '',
    pause: call.query.text('pause') === undefined ? true : call.query.boolean('pause'),
    changes: call.query.all('changes'),
    config: config === undefined || config === null ? undefined : parseConfig(config),
  });
  return json(created, 201);
}
