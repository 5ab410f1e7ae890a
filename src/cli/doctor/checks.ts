/** Every check of `system doctor`, in the order told. */
import { cgroupChecks } from './cgroup-checks.ts';
import type { Check } from './check.ts';
import { daemonChecks } from './daemon-checks.ts';
import { kernelChecks } from './kernel-checks.ts';
import { limitChecks } from './limit-checks.ts';
import { networkChecks } from './network-checks.ts';
import { rootlessChecks } from './rootless-checks.ts';
import { runtimeChecks } from './runtime-checks.ts';
import { storageChecks } from './storage-checks.ts';

export const checks: readonly Check[] = [
  ...kernelChecks,
  ...cgroupChecks,
  ...runtimeChecks,
  ...networkChecks,
  ...limitChecks,
  ...storageChecks,
  ...daemonChecks,
  ...rootlessChecks,
];
