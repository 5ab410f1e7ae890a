/** What holds a process in: capabilities, the system call filter, the AppArmor profile, sysctls of its own network. */
import { existsSync } from 'node:fs';
import type { HostConfig } from '../api/index.ts';
import { isMapped, privileges } from '../linux/index.ts';
import { containerCapabilities } from './capabilities.ts';
import type { Context } from './context.ts';
import { compiledSeccomp } from './seccomp-cache.ts';
import { customSeccomp, defaultSeccomp, type Seccomp } from './seccomp-profile.ts';
import { parseSecurityOptions } from './security.ts';
import type { Refused, SpecInput } from './spec.ts';

export interface Confinement {
  profile: Pick<SpecInput, 'capabilities' | 'seccomp' | 'noNewPrivileges' | 'apparmorProfile'>;
  /** For the runtime: the filter already compiled, where it takes one. */
  annotations: Record<string, string>;
}

/** @throws Fault invalid for an option that is not understood */
export function confinement(context: Pick<Context, 'settings' | 'runtime'>, host: HostConfig): Confinement {
  const { settings } = context;
  const security = parseSecurityOptions(host.SecurityOpt ?? []);
  const privileged = host.Privileged ?? false;
  const capabilities = containerCapabilities(
    { add: host.CapAdd ?? [], drop: host.CapDrop ?? [], privileged },
    settings.heldCapabilities,
  );
  const seccomp = privileged ? undefined : seccompFor(settings, security.seccomp, capabilities);
  const crun = context.runtime(host.Runtime ?? '').program.kind === 'crun';
  const filter = crun && seccomp !== undefined ? compiledSeccomp(settings, seccomp) : undefined;
  return {
    profile: {
      capabilities,
      seccomp,
      noNewPrivileges: security.noNewPrivileges ?? settings.noNewPrivileges,
      apparmorProfile: !settings.apparmor || privileged ? security.apparmor : (security.apparmor ?? 'wherry-default'),
    },
    annotations: filter === undefined ? {} : { 'run.oci.seccomp_bpf_data': filter },
  };
}

function seccompFor(
  settings: Context['settings'],
  option: string | undefined,
  capabilities: string[],
): Seccomp | undefined {
  const text = option ?? settings.seccompProfile;
  if (text === 'unconfined') return undefined;
  if (text === undefined) return defaultSeccomp(capabilities, process.arch);
  return customSeccomp(text, capabilities, process.arch, settings.kernel);
}

/** As Docker: ordinary users in a network namespace of its own may bind low ports and ping. What was `asked` for stays. `groups`: how many there are. */
export function defaultSysctls(asked: Record<string, string>, groups = ownGroups()): Record<string, string> {
  const defaults: Record<string, string> = {
    'net.ipv4.ip_unprivileged_port_start': '0',
    'net.ipv4.ping_group_range': `0 ${groups - 1}`,
  };
  return Object.fromEntries(Object.entries(defaults).filter(([key]) => !(key in asked)));
}

/** How many groups there are from 0 on: all, or those of the user namespace that we are root of. */
function ownGroups(): number {
  const all = 2_147_483_648;
  const { inUserNamespace, gids } = privileges();
  if (!inUserNamespace) return all;
  let next = 0;
  for (const { container, size } of [...gids].sort((a, b) => a.container - b.container))
    if (container === next) next += size;
  return Math.min(next, all);
}

/** What this process is refused that a configuration must not ask for. */
export function refusedHere(): Refused {
  const { inUserNamespace, mayMakeDevices, gids, lowestOomScore } = privileges();
  const terminals = 5;
  return {
    hostMounts: inUserNamespace,
    devices: !mayMakeDevices,
    hostQueues: existsSync('/dev/mqueue'),
    terminalGroup: !isMapped(gids, terminals),
    lowestOomScore,
  };
}
