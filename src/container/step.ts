/**
 * One build step's process, from start to end, on a prepared root: confined as containers are by default, in a network of its own, run
 * by the runtime in the foreground. Nothing of it is left when it is over, however it ends, but what it wrote to the root.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildRequest } from '../api/index.ts';
import type { RunProcess } from '../runtime/index.ts';
import type { Through } from '../snapshot/index.ts';
import { stringifySpec } from './build-spec.ts';
import { cgroupPath } from './cgroup-path.ts';
import type { Context } from './context.ts';
import { lendMountPoints } from './mount-stubs.ts';
import { startFailure } from './start-error.ts';
import { lendStepMounts, type StepMount } from './step-mounts.ts';
import { openStepNetwork } from './step-network.ts';
import { stepHost, stepSpec } from './step-spec.ts';
import { enterStepNamespace } from './step-user-namespace.ts';

export type StepContext = Pick<Context, 'settings' | 'networking' | 'runtime'>;

export interface StepRequest {
  /** A safe file name that no container has: the step's cgroup, sandbox and bundle carry it. */
  id: string;
  /** The mounted root, which the process may write to. */
  rootfs: string;
  /** Mounts the root again at the same place, through a user namespace or plainly. */
  remount: (through: Through | undefined) => void;
  /** At least one. */
  args: readonly string[];
  /** `NAME=value`, in order. */
  env: readonly string[];
  /** Absolute; made where it is missing. */
  workingDir: string;
  /** As in USER, looked up in the root: `user`, `uid`, `user:group`, … */
  user: string;
  hostname: string;
  /** `default`, `none`, `host`, or the name of a network. */
  network: string;
  /** `name:address`; `host-gateway` is an address. */
  extraHosts: readonly string[];
  limits: BuildRequest['limits'];
  /** Without confinement: `--security=insecure`. */
  insecure: boolean;
  mounts: readonly StepMount[];
  /** What the process writes, as it comes; what comes next waits for the promise. */
  output: (stream: 'stdout' | 'stderr', data: Uint8Array) => Promise<void> | void;
}

export interface StepResult {
  exitCode: number;
  /** Why the process never ran, as `exec: "x": executable file not found in $PATH`; `exitCode` is what a shell would say. */
  failure: string | undefined;
}

/** Runs it. @throws Fault invalid for a user, a mount or a network that is not there; the signal's reason when it is cancelled */
export async function runStep(context: StepContext, request: StepRequest, signal: AbortSignal): Promise<StepResult> {
  signal.throwIfAborted();
  await using loans = new AsyncDisposableStack();
  const bundle = stepDirectory(context, request.id);
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  loans.defer(() => rmSync(bundle, { recursive: true, force: true }));
  const namespace = await enterStepNamespace(context.settings, request, bundle, loans);
  const network = await openStepNetwork(context, request, { bundle, namespace }, loans);
  const mounts = [...network.mounts, ...(await lendStepMounts(bundle, request.mounts, namespace, loans))];
  loans.use(lendMountPoints(request.rootfs, mounts));
  const host = stepHost(context.settings, request);
  const cgroup = cgroupPath(context.settings, request.id, host.CgroupParent);
  const spec = stepSpec(context, request, { host, cgroup, mounts, network: network.namespace, namespace });
  writeFileSync(join(bundle, 'config.json'), stringifySpec(spec), { mode: 0o600 });
  if (namespace !== undefined) {
    // Until now it was mounted plainly, for what is made in it, and is again for what is taken away.
    loans.defer(() => request.remount(undefined));
    request.remount(namespace.through);
  }
  const runtime = context.runtime('');
  loans.defer(() => runtime.delete(request.id, cgroup));
  signal.throwIfAborted();
  const process = runtime.run({ id: request.id, bundle });
  const { exitCode, failure } = await ended(process, request.output, signal);
  if (failure === undefined) return { exitCode, failure };
  const known = startFailure(failure, request.args[0] ?? '');
  return { exitCode: known.exitCode, failure: known.detail };
}

/** Where a step's bundle is while it runs. */
export function stepDirectory(context: Pick<Context, 'settings'>, id: string): string {
  return join(context.settings.runRoot, 'steps', id);
}

/** Until the runtime has ended and its output is handed on; a cancelled one is killed, and waited for all the same. */
async function ended(
  process: RunProcess,
  output: StepRequest['output'],
  signal: AbortSignal,
): Promise<{ exitCode: number; failure: string | undefined }> {
  const { stdio } = process;
  const drained = Promise.withResolvers<void>();
  let handing = Promise.resolve();
  let waiting = 0;
  let failed: { error: unknown } | undefined;
  stdio.onOutput = (stream, data) => {
    if (signal.aborted || failed !== undefined) return;
    stdio.pause();
    waiting++;
    handing = handing
      .then(() => output(stream, data))
      .catch((error: unknown) => {
        failed ??= { error };
        process.kill();
      })
      .finally(() => {
        if (--waiting === 0) stdio.resume();
      });
  };
  stdio.onEnd = () => drained.resolve();
  const kill = (): void => {
    process.kill();
    stdio.close();
    drained.resolve();
  };
  signal.addEventListener('abort', kill, { once: true });
  try {
    const result = await process.ended;
    await drained.promise;
    await handing;
    signal.throwIfAborted();
    if (failed !== undefined) throw failed.error;
    return result;
  } finally {
    signal.removeEventListener('abort', kill);
  }
}
