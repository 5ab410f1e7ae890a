/** What the flags of run and create accept, checked while the line is parsed, so that the message names the flag. */
import { isIP } from 'node:net';
import { parseGpus, parseThrottle, parseUlimit, parseWeightDevice } from './devices.ts';
import { parseMount } from './mount.ts';
import { parseAttachment } from './network.ts';

type Check = (value: string) => string | undefined;

const complaintOf = (result: unknown): string | undefined => (typeof result === 'string' ? result : undefined);
const isAddress: Check = (value) =>
  isIP(value.trim()) === 0 ? `IP address is not correctly formatted: ${value}` : undefined;

export const runChecks: Readonly<Record<string, Check>> = {
  attach: (value) =>
    ['stdin', 'stdout', 'stderr'].includes(value.toLowerCase())
      ? undefined
      : 'valid streams are STDIN, STDOUT and STDERR',
  'add-host': (value) => {
    const at = value.search(/[=:]/);
    const address = value.slice(at + 1).replace(/^\[|\]$/g, '');
    if (at <= 0) return `bad format for add-host: "${value}"`;
    return address === 'host-gateway' || isIP(address) !== 0
      ? undefined
      : `invalid IP address in add-host: "${address}"`;
  },
  'blkio-weight-device': (value) => complaintOf(parseWeightDevice(value)),
  'device-read-bps': (value) => complaintOf(parseThrottle(value, 'bytes')),
  'device-write-bps': (value) => complaintOf(parseThrottle(value, 'bytes')),
  'device-read-iops': (value) => complaintOf(parseThrottle(value, 'operations')),
  'device-write-iops': (value) => complaintOf(parseThrottle(value, 'operations')),
  'device-cgroup-rule': (value) =>
    /^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(value) ? undefined : `invalid device cgroup format '${value}'`,
  dns: isAddress,
  env: (value) => (value === '' || value.startsWith('=') ? `invalid environment variable: ${value}` : undefined),
  gpus: (value) => complaintOf(parseGpus(value)),
  label: (value) => (value === '' || value.startsWith('=') ? `invalid label '${value}': empty name` : undefined),
  link: (value) => {
    const parts = value.split(':');
    return value === '' || parts.length > 2 ? `bad format for links: ${value}` : undefined;
  },
  'link-local-ip': isAddress,
  mount: (value) => complaintOf(parseMount(value)),
  network: (value) => complaintOf(parseAttachment(value)),
  ulimit: (value) => complaintOf(parseUlimit(value)),
};
