/** Linux capabilities: Docker's default set and the arithmetic of --cap-add and --cap-drop. */
import { Fault } from '../std/index.ts';

/** In kernel order (capability.h), so that bit n is name n. */
const all =
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'.split(
    ' ',
  );

const defaults = new Set(
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'.split(
    ' ',
  ),
);

export interface CapabilityRequest {
  add: readonly string[];
  drop: readonly string[];
  privileged: boolean;
}

/** "net_admin", "CAP_NET_ADMIN" → "CAP_NET_ADMIN"; "all" → "ALL". @throws Fault invalid for a name the kernel does not have */
export function normaliseCapability(name: string): string {
  const plain = name.trim().toUpperCase().replace(/^CAP_/, '');
  if (plain === 'ALL') return 'ALL';
  if (!all.includes(plain)) throw new Fault('invalid', `unknown capability: "CAP_${plain}"`);
  return `CAP_${plain}`;
}

/**
 * The container's capabilities, sorted in kernel order, limited to `held` (the bit mask of what this daemon itself has, so
 * that a nested engine can still start containers).
 */
export function containerCapabilities(request: CapabilityRequest, held: bigint): string[] {
  const add = request.add.map(normaliseCapability);
  const drop = request.drop.map(normaliseCapability);
  const wanted = (name: string): boolean => {
    const full = `CAP_${name}`;
    if (request.privileged) return true;
    if (add.includes('ALL')) return !drop.includes(full);
    if (drop.includes('ALL')) return add.includes(full);
    return (defaults.has(name) || add.includes(full)) && !drop.includes(full);
  };
  return all.filter((name, bit) => ((held >> BigInt(bit)) & 1n) === 1n && wanted(name)).map((name) => `CAP_${name}`);
}

/** The mask in a /proc/<pid>/status field such as CapBnd. */
export function capabilityMask(status: string, field: string): bigint {
  const match = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status);
  return match === null ? 0n : BigInt(`0x${match[1]}`);
}
