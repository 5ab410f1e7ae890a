/** What this process and this kernel can do, asked once when the engine opens. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { controllerFolder } from '../linux/index.ts';
import { capabilityMask } from './capabilities.ts';
import type { Context } from './context.ts';

/** For tests and `info`: what capabilities this process holds. */
export function ownCapabilities(): bigint {
  return capabilityMask(readFileSync('/proc/self/status', 'utf8'), 'CapEff');
}

/** Whether the kernel weighs block I/O. */
export function hasBlockWeight(context: Pick<Context['settings'], 'cgroups'>): boolean {
  if (context.cgroups.version === 2) return context.cgroups.controllers.includes('io');
  const folder = controllerFolder(context.cgroups, 'blkio', '/');
  return folder !== undefined && ['blkio.weight', 'blkio.bfq.weight'].some((name) => existsSync(join(folder, name)));
}

/** Whether the kernel accounts swap. */
export function hasSwapLimit(context: Pick<Context['settings'], 'cgroups'>): boolean {
  const folder = controllerFolder(context.cgroups, 'memory', '/');
  if (folder === undefined) return false;
  return context.cgroups.version === 2 || existsSync(join(folder, 'memory.memsw.limit_in_bytes'));
}
