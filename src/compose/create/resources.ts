/** Limits and devices of a service in the engine's words. */
import type { DeviceRequest, Resources } from '../../api/index.ts';
import type { BlkioConfig, Service, Ulimit } from '../project.ts';

const nano = 1e9;

export function resourcesOf(service: Service): Resources {
  const { limits, reservations } = service.deploy?.resources ?? {};
  const cdi = (service.devices ?? []).filter((device) => device.source === device.target && isCdiName(device.source));
  const devices = (service.devices ?? []).filter((device) => !cdi.includes(device));
  const requests: DeviceRequest[] = [
    ...(reservations?.devices ?? []).map((device) => ({
      ...requestOf(device),
      Capabilities: [device.capabilities ?? []],
    })),
    ...(cdi.length === 0 ? [] : [{ Driver: 'cdi', DeviceIDs: cdi.map(({ source }) => source) }]),
    ...(service.gpus ?? []).map((gpu) => ({ ...requestOf(gpu), Capabilities: [[...(gpu.capabilities ?? []), 'gpu']] })),
  ];
  const pids = limits?.pids || service.pids_limit;
  const memory = limits?.memory || service.mem_limit;
  const reservation = reservations?.memory || service.mem_reservation;
  const cpus = limits?.cpus || service.cpus;
  return defined({
    CgroupParent: service.cgroup_parent,
    Memory: memory,
    MemorySwap: service.memswap_limit,
    MemorySwappiness: service.mem_swappiness || undefined,
    MemoryReservation: reservation,
    OomKillDisable: service.oom_kill_disable ?? false,
    CpuCount: service.cpu_count,
    CpuPeriod: service.cpu_period,
    CpuQuota: service.cpu_quota,
    CpuRealtimePeriod: service.cpu_rt_period,
    CpuRealtimeRuntime: service.cpu_rt_runtime,
    CpuShares: service.cpu_shares,
    NanoCpus: cpus === undefined ? undefined : Math.trunc(cpus * nano),
    CpuPercent: service.cpu_percent === undefined ? undefined : Math.trunc(service.cpu_percent * 100),
    CpusetCpus: service.cpuset,
    DeviceCgroupRules: service.device_cgroup_rules,
    PidsLimit: pids || undefined,
    ...blkioOf(service.blkio_config),
    Devices: listOrNone(
      devices.map(({ source, target, permissions }) => ({
        PathOnHost: source,
        PathInContainer: target ?? source,
        CgroupPermissions: permissions ?? 'rwm',
      })),
    ),
    DeviceRequests: listOrNone(requests),
    Ulimits: listOrNone(ulimitsOf(service.ulimits ?? {})),
  });
}

function requestOf(device: {
  driver?: string;
  count?: number;
  device_ids?: string[];
  options?: Record<string, string>;
}): DeviceRequest {
  return defined({
    Driver: device.driver,
    Count: device.count,
    DeviceIDs: device.device_ids,
    Options: device.options,
  });
}

/** `vendor.com/class=name` (Container Device Interface). */
function isCdiName(text: string): boolean {
  return /^[a-zA-Z0-9][\w.-]*\/[a-zA-Z0-9][\w.-]*=[a-zA-Z0-9][\w.:-]*$/.test(text);
}

export function ulimitsOf(ulimits: Readonly<Record<string, Ulimit>>): { Name: string; Hard: number; Soft: number }[] {
  return Object.entries(ulimits)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([Name, { single = 0, soft, hard }]) => ({ Name, Hard: hard || single, Soft: soft || single }));
}

function blkioOf(blkio: BlkioConfig | undefined): Resources {
  if (blkio === undefined) return {};
  const throttles = (list: readonly { path: string; rate: number }[] | undefined) =>
    list?.map(({ path, rate }) => ({ Path: path, Rate: rate }));
  return defined({
    BlkioWeight: blkio.weight,
    BlkioWeightDevice: blkio.weight_device?.map(({ path, weight }) => ({ Path: path, Weight: weight })),
    BlkioDeviceReadBps: throttles(blkio.device_read_bps),
    BlkioDeviceReadIOps: throttles(blkio.device_read_iops),
    BlkioDeviceWriteBps: throttles(blkio.device_write_bps),
    BlkioDeviceWriteIOps: throttles(blkio.device_write_iops),
  });
}

function listOrNone<T>(list: T[]): T[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** Without what is undefined. */
export function defined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
}
