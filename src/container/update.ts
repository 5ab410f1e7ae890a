/** `update` and `rename`. Callers hold the lock. */
import type { ContainerUpdateBody, HostConfig, Resources } from '../api/index.ts';
import { Fault, messageOf } from '../std/index.ts';
import type { Context, Live } from './context.ts';
import { nameTaken } from './create.ts';
import { blockDevice } from './devices.ts';
import { containerEvent } from './event.ts';
import { dnsNames } from './network-setup.ts';
import { resourceLimits } from './spec.ts';
import { saveIfThere } from './start.ts';
import { checkName, checkResources, checkRestartPolicy } from './validate.ts';

const keys =
  'CpuShares Memory CpuPeriod CpuQuota CpusetCpus CpusetMems MemoryReservation MemorySwap NanoCpus PidsLimit BlkioWeight CpuRealtimePeriod CpuRealtimeRuntime'.split(
    ' ',
  ) as (keyof Resources)[];

/** Null, 0 and "" leave a limit as it is. @throws Fault invalid, conflict */
export async function updateContainer(
  context: Context,
  live: Live,
  body: ContainerUpdateBody,
): Promise<{ Warnings: string[] | null }> {
  const { record } = live;
  if (live.removing) throw new Fault('conflict', 'Container is marked for removal and cannot be "update".');
  const next: HostConfig = { ...record.hostConfig };
  for (const key of keys) {
    const value = body[key];
    if (value === undefined || value === null || value === 0 || value === '') continue;
    Object.assign(next, { [key]: value });
    if (key === 'NanoCpus') Object.assign(next, { CpuPeriod: 0, CpuQuota: 0 });
    if (key === 'CpuPeriod' || key === 'CpuQuota') next.NanoCpus = 0;
  }
  if (
    body.Memory &&
    !body.MemorySwap &&
    (record.hostConfig.MemorySwap ?? 0) > 0 &&
    body.Memory > (record.hostConfig.MemorySwap ?? 0)
  ) {
    throw new Fault(
      'conflict',
      `Cannot update container ${record.id}: Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time`,
    );
  }
  if (body.PidsLimit !== undefined && body.PidsLimit !== null && body.PidsLimit < 0) next.PidsLimit = null;
  const warnings = checkResources(next, context.settings.facts);
  if (body.RestartPolicy?.Name) {
    checkRestartPolicy(body.RestartPolicy, record.hostConfig.AutoRemove ?? false);
    next.RestartPolicy = {
      Name: body.RestartPolicy.Name,
      MaximumRetryCount: body.RestartPolicy.MaximumRetryCount ?? 0,
    };
  }
  if (live.run !== undefined) {
    const limits = resourceLimits(next, context.settings.cgroups.version, blockDevice);
    if (body.PidsLimit !== undefined && body.PidsLimit !== null && body.PidsLimit < 0) limits['pids'] = { limit: -1 };
    if (Object.keys(limits).length > 0 && context.settings.cgroups.usable)
      await context.runtime(record.hostConfig.Runtime ?? '').update(record.id, limits);
  }
  record.hostConfig = next;
  await saveIfThere(context, live);
  containerEvent(context, record, 'update');
  return { Warnings: warnings.length === 0 ? null : warnings };
}

/** As Docker tells it: with the slash that names have inside. */
function newName(name: string): string {
  try {
    return checkName(name);
  } catch (error) {
    const text = messageOf(error).replace(/\((?!\/)/, '(/');
    throw new Fault('invalid', `Error when allocating new name: ${text}`, { cause: error });
  }
}

/** @throws Fault invalid, conflict */
export async function renameContainer(context: Context, live: Live, name: string): Promise<void> {
  const { record } = live;
  if (name === '') throw new Fault('invalid', 'Neither old nor new names may be empty');
  const next = newName(name);
  if (next === record.name) throw new Fault('invalid', `Renaming a container with the same name as its current name`);
  if (context.names.has(next))
    throw new Fault('conflict', `Error when allocating new name: ${nameTaken(context, next).message}`);
  const old = record.name;
  context.names.set(next, record.id);
  record.name = next;
  try {
    await saveIfThere(context, live);
  } catch (error) {
    record.name = old;
    context.names.delete(next);
    throw error;
  }
  context.names.delete(old);
  if (live.run !== undefined) {
    const names = Object.fromEntries(
      Object.entries(record.networks).map(([network, config]) => [
        live.run?.endpoints[network]?.NetworkID ?? network,
        dnsNames(record, config),
      ]),
    );
    context.networking.rename(record.id, next, names);
    for (const [network, endpoint] of Object.entries(live.run.endpoints)) {
      if (endpoint.DNSNames !== null) endpoint.DNSNames = dnsNames(record, record.networks[network] ?? {});
    }
  }
  containerEvent(context, record, 'rename', { oldName: `/${old}` });
}
