/** A build step to a runtime configuration, through the same translation as containers (spec.ts). */
import type { HostConfig } from '../api/index.ts';
import { confinement, defaultSysctls, refusedHere } from './confinement.ts';
import type { Context } from './context.ts';
import { blockDevice, containerDevices } from './devices.ts';
import { rlimitCeilings } from './rlimits.ts';
import { knownUser } from './known-user.ts';
import { makeDirectoryInRoot, readInRoot, withRoot } from './rootfs.ts';
import { runtimeSpec, type SpecMount } from './spec.ts';
import type { StepContext, StepRequest } from './step.ts';
import type { StepNamespace } from './step-user-namespace.ts';
import { resolveUser } from './user.ts';
import { defaultMaskedPaths, defaultReadonlyPaths } from './validate.ts';

/** What the step would ask for as a container. Pure. */
export function stepHost(settings: Context['settings'], request: StepRequest): HostConfig {
  const { limits, insecure } = request;
  const asked = new Set(limits.ulimits.map(({ Name }) => Name));
  return {
    Privileged: insecure,
    Memory: limits.memory,
    // As for containers: as much swap as memory, unless told.
    MemorySwap: limits.memory > 0 && limits.memorySwap === 0 ? limits.memory * 2 : limits.memorySwap,
    CpuShares: limits.cpuShares,
    CpuPeriod: limits.cpuPeriod,
    CpuQuota: limits.cpuQuota,
    CpusetCpus: limits.cpusetCpus,
    CpusetMems: limits.cpusetMems,
    Ulimits: [...limits.ulimits, ...settings.facts.ulimits.filter(({ Name }) => !asked.has(Name))],
    CgroupParent: limits.cgroupParent,
    MaskedPaths: insecure ? null : defaultMaskedPaths,
    ReadonlyPaths: insecure ? null : defaultReadonlyPaths,
  };
}

/** Makes the working directory, and reads users from the root. @throws Fault invalid */
export function stepSpec(
  context: StepContext,
  request: StepRequest,
  around: {
    host: HostConfig;
    cgroup: string;
    mounts: readonly SpecMount[];
    network: string | undefined;
    namespace: StepNamespace | undefined;
  },
): object {
  const { settings } = context;
  const { host } = around;
  const [path = '', ...args] = request.args;
  const confined = confinement(context, host);
  const user = withRoot(request.rootfs, (root) => {
    makeDirectoryInRoot(root, request.workingDir);
    const text = (file: string): string => readInRoot(root, file) ?? '';
    return knownUser(resolveUser(request.user, [], text('/etc/passwd'), text('/etc/group')));
  });
  return runtimeSpec({
    id: request.id,
    path,
    args,
    config: { Env: [...request.env], WorkingDir: request.workingDir },
    host,
    rootfs: request.rootfs,
    user,
    ...confined.profile,
    selinuxLabel: undefined,
    mounts: [...around.mounts].sort((a, b) => depth(a) - depth(b)),
    devices: containerDevices(host),
    namespaces: {
      network: around.network,
      pid: '',
      ipc: '',
      uts: '',
      cgroup: settings.facts.cgroupnsMode === 'private' && settings.cgroups.usable ? '' : undefined,
      user: around.namespace?.path,
    },
    idMapping: around.namespace?.mapping,
    hostname: request.hostname,
    cgroupsPath: settings.cgroups.usable ? around.cgroup : undefined,
    refused: refusedHere(),
    cgroupVersion: settings.cgroups.version,
    init: undefined,
    rlimitCeilings: rlimitCeilings(),
    shmSize: request.limits.shmSize || settings.facts.shmSize,
    annotations: confined.annotations,
    sysctls: around.network === undefined ? {} : defaultSysctls({}, around.namespace?.mapping.gids[0]?.size),
    deviceNumbers: blockDevice,
    edits: { hooks: [], intelRdt: undefined },
  });
}

function depth({ destination }: SpecMount): number {
  return destination.split('/').filter(Boolean).length;
}
