/** Which OCI runtimes this host has, and which of them can run here. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { type CgroupLayout, privileges } from '../linux/index.ts';
import { Fault, runProgram } from '../std/index.ts';
import type { RuntimeProgram } from './runtime.ts';

const searchPath = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
  '/usr/libexec',
  '/usr/lib/cri-o-runc/sbin',
];

/** The first executable of that name in PATH and the usual system folders. */
export function findProgram(name: string, path = process.env['PATH'] ?? ''): string | undefined {
  if (name.includes('/')) return isExecutable(name) ? name : undefined;
  for (const folder of [...path.split(delimiter), ...searchPath]) {
    const file = join(folder, name);
    if (folder !== '' && isExecutable(file)) return file;
  }
  return undefined;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Asks a program what it is. @throws Fault unavailable when it does not answer */
export async function describeRuntime(name: string, path: string, args: string[] = []): Promise<RuntimeProgram> {
  const { code, stdout, stderr } = await runProgram(path, ['--version']);
  if (code !== 0) throw new Fault('unavailable', `Cannot use the runtime ${path}: ${stderr.trim()}`);
  const kind = /^crun/m.test(stdout) || basename(path) === 'crun' ? 'crun' : 'runc';
  return { name, path, kind, version: /version\s+(\S+)/.exec(stdout)?.[1] ?? 'unknown', arguments: args };
}

/**
 * On cgroup v2 crun raises RLIMIT_MEMLOCK before it loads the program that guards devices, and fails where it may not (nested
 * containers without CAP_SYS_RESOURCE); runc goes on without.
 */
function canRaiseMemlock(cgroups: CgroupLayout): boolean {
  // As root of a user namespace crun goes on without, too; and without groups there is nothing to load.
  if (cgroups.version === 1 || !cgroups.usable || privileges().inUserNamespace) return true;
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const sysResource = 24n;
  if ((BigInt(`0x${effective}`) >> sysResource) & 1n) return true;
  return /^Max locked memory\s+\S+\s+unlimited/m.test(readFileSync('/proc/self/limits', 'utf8'));
}

export interface DetectOptions {
  cgroups: CgroupLayout;
  /** Names and paths from daemon.json ("runtimes"). */
  configured: Record<string, { path?: string; runtimeArgs?: string[] }>;
  /** "default-runtime", or undefined for the best there is. */
  preferred: string | undefined;
}

/**
 * Every usable runtime by name, and the default one: the configured one, else crun (faster) where it runs, else runc. crun
 * refuses hybrid cgroups; the daemon hides that hierarchy from it by a mount namespace (see engine/hybrid), so `cgroups.hybrid`
 * is false by the time this is asked if that worked. @throws Fault unavailable naming the packages to install
 */
export async function detectRuntimes(
  options: DetectOptions,
): Promise<{ all: Map<string, RuntimeProgram>; standard: RuntimeProgram }> {
  const all = new Map<string, RuntimeProgram>();
  for (const name of ['crun', 'runc']) {
    const path = findProgram(name);
    if (path === undefined || (name === 'crun' && options.cgroups.hybrid)) continue;
    all.set(name, await describeRuntime(name, path));
  }
  for (const [name, { path, runtimeArgs }] of Object.entries(options.configured)) {
    const found = findProgram(path ?? name);
    if (found === undefined)
      throw new Fault('invalid', `Cannot use the runtime "${name}": ${path ?? name} is not there`);
    all.set(name, await describeRuntime(name, found, runtimeArgs ?? []));
  }
  const best = canRaiseMemlock(options.cgroups) ? ['crun', 'runc'] : ['runc', 'crun'];
  const standard = all.get(options.preferred ?? best.find((name) => all.has(name)) ?? '');
  if (standard === undefined) {
    throw new Fault(
      'unavailable',
      options.preferred === undefined
        ? 'Cannot run containers: no OCI runtime found. Install one: apt-get install crun (or runc)'
        : `Cannot use the default runtime "${options.preferred}": it is not installed or cannot run on this host`,
    );
  }
  return { all, standard };
}
