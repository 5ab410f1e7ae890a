/** What build steps need to run for real: a runtime and networks on a throw-away root. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { ownCapabilities, type Settings, type StepContext, type StepRequest } from '../../src/container/index.ts';
import { type CgroupLayout, cgroupLayout, removeEmptyCgroup } from '../../src/linux/index.ts';
import { openNetworking } from '../../src/network/index.ts';
import { describeRuntime, findProgram, Runtime } from '../../src/runtime/index.ts';
import { silentLogger } from '../../src/std/index.ts';

export interface Steps {
  context: StepContext;
  cgroups: CgroupLayout;
  cgroupParent: string;
  close(): Promise<void>;
}

export const noLimits: StepRequest['limits'] = {
  memory: 0,
  memorySwap: 0,
  cpuShares: 0,
  cpuPeriod: 0,
  cpuQuota: 0,
  cpusetCpus: '',
  cpusetMems: '',
  shmSize: 0,
  ulimits: [],
  cgroupParent: '',
};

/** crun refuses hybrid cgroups, which the daemon hides from it in a mount namespace of its own. */
export function unusable(name: string): string | false {
  if (findProgram(name) === undefined) return `${name} is not installed`;
  if (name === 'crun' && cgroupLayout().hybrid)
    return 'crun refuses hybrid cgroups: run this under `unshare -m` with /sys/fs/cgroup/unified unmounted';
  return false;
}

export async function openSteps(root: string, runtimeName: string): Promise<Steps> {
  const mark = randomBytes(2).toString('hex');
  const networking = await openNetworking({
    root: join(root, 'net'),
    runRoot: join(root, 'run'),
    bridge: `ws${mark}`,
    bip: undefined,
    bip6: undefined,
    fixedCidr: undefined,
    defaultGateway: undefined,
    defaultGatewayV6: undefined,
    driverDefaults: {},
    directRouting: false,
    addressPools: [{ base: `10.${16 + (randomBytes(1)[0]! % 200)}.0.0/16`, size: 26 }],
    tableName: `wherry_test_${mark}`,
    defaultPublishAddress: '',
    respectHostFirewall: false,
    dns: ['192.0.2.53'],
    dnsSearch: [],
    dnsOptions: [],
    hostGatewayIp: '192.0.2.1',
    mtu: 1500,
    ipv6: false,
    fixedCidrV6: undefined,
    icc: true,
    userlandProxy: true,
    hostPorts: undefined,
    emit: () => {},
    logger: silentLogger,
  });
  const cgroups = cgroupLayout();
  const cgroupParent = `/wherry-step-${mark}`;
  const runtime = new Runtime({
    program: await describeRuntime(runtimeName, findProgram(runtimeName)!),
    conmon: '',
    stateRoot: join(root, 'runtime'),
    exitDirectory: join(root, 'exits'),
    temporary: root,
    cgroups,
    systemdCgroup: false,
  });
  const settings: Settings = {
    dataRoot: root,
    runRoot: join(root, 'run'),
    facts: {
      cgroupVersion: cgroups.version,
      controllers: new Set(cgroups.controllers),
      cpus: 1,
      memory: 1 << 30,
      swapLimit: false,
      blockWeight: false,
      runtimes: [runtimeName],
      defaultRuntime: runtimeName,
      logDriver: 'json-file',
      logOptions: {},
      shmSize: 1 << 20,
      ipcMode: 'private',
      cgroupnsMode: 'host',
      ulimits: [],
      init: false,
      userNamespaces: false,
    },
    cgroups,
    cgroupParent,
    systemdCgroup: false,
    heldCapabilities: ownCapabilities(),
    kernel: release(),
    initPath: undefined,
    restartUnhealthy: false,
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    noNewPrivileges: false,
    idMapping: undefined,
    seccompProfile: undefined,
    apparmor: false,
    stopTimeoutSeconds: 10,
    liveRestore: true,
  };
  const context: StepContext = { settings, networking, runtime: () => runtime };
  return {
    context,
    cgroups,
    cgroupParent,
    close: async () => {
      await networking.close();
      removeEmptyCgroup(cgroups, cgroupParent);
      // The daemon hides the second hierarchy of hybrid hosts from the runtime; here runc makes groups there too.
      const unified = join('/sys/fs/cgroup/unified', cgroupParent);
      if (cgroups.hybrid && existsSync(unified)) {
        for (const id of readdirSync(unified, { withFileTypes: true }))
          if (id.isDirectory()) rmdirSync(join(unified, id.name));
        rmdirSync(unified);
      }
    },
  };
}
