/** Every check, by what it is about, in the order in which they are told. */
import type { Check } from './check.ts';
import { cgroupChecks } from './checks/cgroups.ts';
import { deviceChecks } from './checks/devices.ts';
import { diskChecks } from './checks/disk.ts';
import { kernelChecks } from './checks/kernel.ts';
import { neighbourChecks } from './checks/neighbours.ts';
import { networkChecks } from './checks/network.ts';
import { rootlessChecks } from './checks/rootless.ts';
import { runtimeChecks } from './checks/runtime.ts';
import { securityChecks } from './checks/security.ts';
import { socketChecks } from './checks/sockets.ts';
import { upkeepChecks } from './checks/upkeep.ts';

export const checks: readonly Check[] = [
  ...kernelChecks,
  ...cgroupChecks,
  ...runtimeChecks,
  ...deviceChecks,
  ...networkChecks,
  ...diskChecks,
  ...socketChecks,
  ...neighbourChecks,
  ...rootlessChecks,
  ...securityChecks,
  ...upkeepChecks,
];
