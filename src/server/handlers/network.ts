/** Networks. */
import type { NetworkInspect } from '../../api/index.ts';
import { parseConnectBody, parseDisconnectBody, parseNetworkBody } from '../body/network.ts';
import type { Call } from '../call.ts';
import { applyDeltas, endpointDeltas } from '../deltas.ts';
import { empty, json, type Reply } from '../http/reply.ts';
import { namesOrNull } from './container.ts';

const listFilters = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

/** Since 1.28 a list says nothing of attached containers. */
export async function list(call: Call): Promise<Reply> {
  const networks = await call.engine.networks.list(call.query.filters(listFilters));
  return json(
    call.version < 28 ? networks : networks.map((network): NetworkInspect => ({ ...network, Containers: {} })),
  );
}

export async function inspect(call: Call): Promise<Reply> {
  const options = { verbose: call.query.boolean('verbose'), scope: call.query.text('scope') };
  return json(await call.engine.networks.inspect(call.name, options));
}

export async function create(call: Call): Promise<Reply> {
  return json(await call.engine.networks.create(parseNetworkBody(await call.requiredJson())), 201);
}

export async function connect(call: Call): Promise<Reply> {
  const { container, endpoint } = parseConnectBody(await call.requiredJson());
  await call.engine.networks.connect(call.name, container, applyDeltas(endpointDeltas, call.version, endpoint));
  return empty(200);
}

export async function disconnect(call: Call): Promise<Reply> {
  const { container, force } = parseDisconnectBody(await call.requiredJson());
  await call.engine.networks.disconnect(call.name, container, { force });
  return empty(200);
}

export async function remove(call: Call): Promise<Reply> {
  await call.engine.networks.remove(call.name);
  return empty(204);
}

export async function prune(call: Call): Promise<Reply> {
  const report = await call.engine.networks.prune(call.query.filters(['until', 'label', 'label!']));
  return json({ NetworksDeleted: namesOrNull(report) });
}
