/** Ping, version, info, disk usage, login, events, and the answers for what Wherry leaves out. */
import type { EventMessage, VerifyMessage } from '../../api/index.ts';
import { explainDiskError, Fault, messageOf, metricContentType, metricText } from '../../std/index.ts';
import { parseAuthBody } from '../body/registry-auth.ts';
import type { Call } from '../call.ts';
import { applyDeltas, diskUsageDeltas, showsEvent } from '../deltas.ts';
import { goJson } from '../go-json.ts';
import { ClientGone } from '../http/input.ts';
import { failure, json, type Reply, stream, type WholeReply } from '../http/reply.ts';

export async function ping(call: Call): Promise<Reply> {
  return pingReply(call, 'OK');
}

export async function pingHead(call: Call): Promise<Reply> {
  call.engine.system.expect();
  return pingReply(call, '');
}

function pingReply(call: Call, body: string): WholeReply {
  return {
    kind: 'whole',
    status: 200,
    headers: {
      'Builder-Version': call.building === undefined ? '1' : '2',
      'Cache-Control': 'no-cache, no-store, must-revalidate',
      'Content-Type': 'text/plain; charset=utf-8',
      Pragma: 'no-cache',
      Swarm: 'inactive',
    },
    body,
  };
}

export async function version(call: Call): Promise<Reply> {
  return json(await call.engine.system.version());
}

export async function info(call: Call): Promise<Reply> {
  return json(await call.engine.system.info());
}

const usageTypes = ['container', 'image', 'volume', 'build-cache'] as const;

export async function diskUsage(call: Call): Promise<Reply> {
  const asked = call.version < 42 ? [] : call.query.all('type');
  const types = asked.map((type) => {
    const known = usageTypes.find((each) => each === type);
    if (known === undefined) throw new Fault('invalid', `unknown object type: ${type}`);
    return known;
  });
  const usage = await call.engine.system.diskUsage(new Set(types.length === 0 ? usageTypes : types));
  return json(applyDeltas(diskUsageDeltas, call.version, usage));
}

export async function space(call: Call): Promise<Reply> {
  return json(await call.engine.system.space());
}

export async function verify(call: Call): Promise<Reply> {
  return verification(call, false);
}

export async function verifyRepair(call: Call): Promise<Reply> {
  return verification(call, true);
}

export async function metrics(call: Call): Promise<Reply> {
  const families = [...(await call.engine.system.metrics()), ...call.requests.families()];
  return { kind: 'whole', status: 200, headers: { 'Content-Type': metricContentType }, body: metricText(families) };
}

async function verification(call: Call, repair: boolean): Promise<Reply> {
  const messages = await call.engine.system.verify({ quick: call.query.boolean('quick'), repair }, call.signal);
  return stream({ 'Content-Type': 'application/json' }, verifyLines(messages));
}

/** The head is out with status 200, so a failure is the last line, as in streams of progress. */
async function* verifyLines(messages: AsyncIterable<VerifyMessage>): AsyncGenerator<string> {
  try {
    for await (const message of messages) yield `${goJson(message)}\n`;
  } catch (error) {
    if (error instanceof ClientGone) throw error;
    const message = messageOf(explainDiskError(error));
    yield `${goJson({ errorDetail: { message }, error: message })}\n`;
  }
}

export async function auth(call: Call): Promise<Reply> {
  return json(await call.engine.system.login(parseAuthBody(await call.requiredJson())));
}

export async function events(call: Call): Promise<Reply> {
  const since = call.query.time('since');
  const until = call.query.time('until');
  if (since !== undefined && until !== undefined && since > until) {
    throw new Fault('invalid', '`since` time cannot be after `until` time');
  }
  const messages = await call.engine.system.events({ since, until, filters: call.query.filters() }, call.signal);
  return stream({ 'Content-Type': 'application/json' }, eventLines(call.version, messages));
}

async function* eventLines(version: number, messages: AsyncIterable<EventMessage>): AsyncGenerator<string> {
  for await (const message of messages) {
    if (showsEvent(version, message)) yield eventLine(message);
  }
}

/** One event as Docker prints it; the legacy fields only where Docker fills them, the nanoseconds to the last digit. */
export function eventLine(event: EventMessage): string {
  const { Type, Action, Actor, scope, timeNano } = event;
  const legacy: Record<string, string> = {};
  if (Type === 'container' || Type === 'image') {
    legacy['status'] = Action;
    legacy['id'] = Actor.ID;
    const from = Actor.Attributes['image'];
    if (Type === 'container' && from !== undefined) legacy['from'] = from;
  }
  const attributes = Object.fromEntries(Object.entries(Actor.Attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = goJson({ ...legacy, Type, Action, Actor: { ID: Actor.ID, Attributes: attributes }, scope });
  return `${text.slice(0, -1)},"time":${timeNano / 1_000_000_000n},"timeNano":${timeNano}}\n`;
}

export async function pluginList(): Promise<Reply> {
  return json([]);
}

export async function checkpoint(): Promise<Reply> {
  throw new Fault('not-implemented', 'Cannot use checkpoints: this engine does not support them');
}

/** What every endpoint of the swarm API answers. */
export function notSwarmManager(): Reply {
  return failure(
    503,
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
}
