/** Networks of a container, changed after create: in its configuration at rest, live when it runs. Callers hold the lock. */
import type { EndpointConfig } from '../api/index.ts';
import { Fault } from '../std/index.ts';
import type { Context, Live } from './context.ts';
import { cleanEndpoint } from './create.ts';
import { endpointRequest, isUserDefined } from './network-setup.ts';
import { saveIfThere } from './start.ts';

/** @throws Fault not-found, forbidden (already there), invalid (host, none, container:) */
export async function connectNetwork(
  context: Context,
  live: Live,
  networkRef: string,
  endpoint: EndpointConfig,
): Promise<void> {
  const { record } = live;
  const { id, name, driver } = context.networking.lookup(networkRef);
  const mode = record.hostConfig.NetworkMode ?? 'bridge';
  if (live.removing)
    throw new Fault(
      'conflict',
      `container ${record.id} is marked for removal and cannot be connected or disconnected to the network ${name}`,
    );
  if (mode.startsWith('container:'))
    throw new Fault(
      'forbidden',
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  if (driver === 'host' || mode === 'host')
    throw new Fault(
      'forbidden',
      'cannot connect container to host network - container must be created in host network mode',
    );
  if (mode === 'none' || driver === 'null')
    throw new Fault(
      'forbidden',
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  const existing = networkKey(context, live, id);
  if (existing !== undefined)
    throw new Fault('forbidden', `endpoint with name ${record.name} already exists in network ${name}`);
  const config = { ...cleanEndpoint(endpoint, undefined), NetworkID: id };
  if ((config.Aliases ?? []).length > 0 && !isUserDefined(context, name)) {
    throw new Fault('invalid', 'network-scoped aliases are only supported for user-defined networks');
  }
  record.networks[name] = config;
  try {
    if (live.run !== undefined) {
      live.run.endpoints[name] = await context.networking.connect(
        record.id,
        record.name,
        endpointRequest(context, record, name, config),
      );
      if (isUserDefined(context, name)) {
        const { Dns, DnsSearch, DnsOptions } = record.hostConfig;
        await context.networking.serveNames(record.id, {
          dns: Dns ?? [],
          search: DnsSearch ?? [],
          options: DnsOptions ?? [],
        });
      }
      await context.runs.put(record.id, live.run, { durable: false });
    }
  } catch (error) {
    delete record.networks[name];
    throw error;
  }
  await saveIfThere(context, live);
}

/** @throws Fault forbidden when it is not connected */
export async function disconnectNetwork(
  context: Context,
  live: Live,
  networkRef: string,
  force: boolean,
): Promise<void> {
  const { record } = live;
  let network: { id: string; name: string; driver: string };
  try {
    network = context.networking.lookup(networkRef);
  } catch (error) {
    if (!force || !(networkRef in record.networks)) throw error;
    network = { id: networkRef, name: networkRef, driver: 'bridge' };
  }
  if (record.hostConfig.NetworkMode === 'host' && network.driver === 'host')
    throw new Fault(
      'forbidden',
      'cannot disconnect container from host network - container was created in host network mode',
    );
  const key = networkKey(context, live, network.id) ?? (network.name in record.networks ? network.name : undefined);
  if (key === undefined)
    throw new Fault('forbidden', `container ${record.id} is not connected to network ${network.name}`);
  if (live.run !== undefined) {
    await context.networking.disconnect(record.id, network.id);
    delete live.run.endpoints[key];
    await context.runs.put(record.id, live.run, { durable: false });
  }
  delete record.networks[key];
  await saveIfThere(context, live);
}

/** The key under which a container knows a network (it may have been named by id or prefix at create). */
export function networkKey(context: Context, live: Live, networkId: string): string | undefined {
  return Object.keys(live.record.networks).find((key) => {
    try {
      return context.networking.lookup(live.record.networks[key]?.NetworkID || key).id === networkId;
    } catch {
      return false;
    }
  });
}
