/** The AppArmor profile of containers, loaded where the host has AppArmor: what Docker's `docker-default` confines. */
import { existsSync, readFileSync } from 'node:fs';
import { findProgram } from '../runtime/index.ts';
import { type Logger, runProgram } from '../std/index.ts';

const name = 'wherry-default';

const profile = `
#include <tunables/global>

profile ${name} flags=(attach_disconnected,mediate_deleted) {
  #include <abstractions/base>

  network,
  capability,
  file,
  umount,

  # The engine and processes of the same profile may signal; the profile may signal itself.
  signal (receive) peer=unconfined,
  signal (send,receive) peer=${name},

  deny @{PROC}/* w,
  deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/** w,
  deny @{PROC}/sys/[^k]** w,
  deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,
  deny @{PROC}/sysrq-trigger rwklx,
  deny @{PROC}/kcore rwklx,
  deny mount,
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,

  ptrace (trace,read,tracedby,readby) peer=${name},
}
`;

/** @returns whether containers run under the profile */
export async function loadApparmor(log: Logger): Promise<boolean> {
  try {
    if (readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').trim() !== 'Y') return false;
  } catch {
    return false;
  }
  if (!existsSync('/sys/kernel/security/apparmor')) return false;
  const parser = findProgram('apparmor_parser');
  if (parser === undefined) {
    log.warn('AppArmor is on but apparmor_parser is not installed: containers run without a profile');
    return false;
  }
  const result = await runProgram(parser, ['-Kr'], { input: profile });
  if (result.code === 0) return true;
  log.warn('the AppArmor profile cannot be loaded: containers run without it', { reason: result.stderr.trim() });
  return false;
}
