/** Programs of other platforms: they run only where the kernel knows an interpreter for them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildPlatform } from '../../dockerfile/index.ts';
import { hostPlatform, parsePlatform, platformDistance } from '../../oci/index.ts';
import { type BuildFailure } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import type { Plan } from '../plan/plan.ts';
import type { ExecStep, Root, Step } from '../plan/step.ts';
import { vertexOf } from '../solve/vertex.ts';

/** As qemu's packages name them. */
const interpreters: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  '386': 'i386',
  ppc64le: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
  arm: 'arm',
  loong64: 'loongarch64',
};

/** By binfmt_misc (kernel, admin-guide/binfmt-misc), `folder` being where it is mounted. */
export function isRunnable(platform: BuildPlatform, folder = '/proc/sys/fs/binfmt_misc'): boolean {
  if (platform.os !== 'linux') return false;
  const offered = parsePlatform([platform.os, platform.architecture, platform.variant].filter(Boolean).join('/'));
  if (platformDistance(hostPlatform(), offered) !== undefined) return true;
  const entry = join(folder, `qemu-${interpreters[platform.architecture] ?? platform.architecture}`);
  return existsSync(entry) && readFileSync(entry, 'utf8').startsWith('enabled');
}

/** @throws Fault invalid at the first RUN that could not run, before any step is done */
export function refuseForeignPrograms(
  { steps }: Pick<Plan, 'steps'>,
  runnable: (platform: BuildPlatform) => boolean,
): void {
  const byId = new Map(steps.map((step) => [step.id, step]));
  for (const step of steps) {
    if (step.kind !== 'exec') continue;
    const platform = platformOf(step.root, byId);
    if (platform === undefined || runnable(parsePlatform(platform))) continue;
    throw foreign(step, platform);
  }
}

function platformOf(root: Root, steps: ReadonlyMap<string, Step>): string | undefined {
  for (let step = steps.get(root); step !== undefined; step = 'root' in step ? steps.get(step.root) : undefined)
    if (step.kind === 'image') return step.platform;
  return undefined;
}

function foreign(step: ExecStep, platform: string): Fault {
  const message = `cannot run programs for ${platform} on this machine (${hostPlatform().os}/${hostPlatform().architecture}): install an emulator that registers itself with binfmt_misc (Debian: apt-get install qemu-user-static binfmt-support), or build for this platform`;
  const { range } = step;
  const source = range === undefined ? undefined : { file: '', start: range.start, end: range.end };
  const cause: BuildFailure = { message, source, text: undefined, exitCode: undefined, vertex: vertexOf(step) };
  return new Fault('invalid', message, { cause });
}
