/** RUN: the step's process, with its mounts. */
import type { BuildFailure, BuildSourceRange } from '../../api/index.ts';
import type { StepRequest, StepResult } from '../../container/index.ts';
import { Fault, formatNanos, messageOf } from '../../std/index.ts';
import type { ExecStep } from '../plan/step.ts';
import type { BuiltRoot } from '../result/root.ts';
import { type MountScope, readyMounts } from './exec-mounts.ts';
import { vertexOf } from './vertex.ts';

const defaultHostname = 'buildkitsandbox';

/** @throws Fault invalid with a `BuildFailure` as its cause when the process fails; as `readyMounts` and the container room's `runStep` */
export async function runExec(
  scope: MountScope,
  step: ExecStep,
  { id, path: rootfs, base }: { id: string; path: string; base: BuiltRoot },
  signal: AbortSignal,
): Promise<void> {
  const { context, inputs } = scope;
  if (step.security === 'insecure' && !inputs.allowInsecure)
    throw new Fault('forbidden', 'security.insecure is not allowed: allow it with --allow security.insecure');
  const device = step.devices.find(({ required }) => required);
  if (device !== undefined)
    throw new Fault(
      'not-implemented',
      `Cannot run with device ${JSON.stringify(device.name)}: this builder gives steps no devices; leave "required" out where the step can do without`,
    );
  await using loans = new AsyncDisposableStack();
  const ready = await readyMounts(scope, step.mounts, loans, signal);
  if (step.script !== undefined) {
    const content = Buffer.from(step.script.content);
    ready.mounts.push({ type: 'file', target: step.script.path, content, mode: 0o755, uid: 0, gid: 0 });
  }
  const environment = [...step.env.entries(), ...agentVariable(step), ...step.proxy].map((pair) => pair.join('='));
  const process: StepRequest = {
    id: context.newId(),
    rootfs,
    remount: (through) => {
      context.snapshots.unmount(id);
      context.snapshots.mount(id, through);
    },
    args: step.args,
    env: [...environment, ...ready.env],
    workingDir: step.workingDir === '' ? '/' : step.workingDir,
    user: step.user,
    hostname: step.hostname ?? defaultHostname,
    network: step.network,
    extraHosts: inputs.extraHosts,
    limits: inputs.limits,
    insecure: step.security === 'insecure',
    mounts: ready.mounts,
    output: (stream, data) => {
      const timestamp = formatNanos(context.now());
      inputs.emit({ kind: 'log', vertex: vertexOf(step), stream, data: Uint8Array.from(data), timestamp });
    },
  };
  let ended: StepResult;
  try {
    ended = await context.run(process, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw failed(scope, step, base, { exitCode: undefined, why: messageOf(error) });
  }
  const { exitCode, failure } = ended;
  if (exitCode === 0 && failure === undefined) return;
  const why = failure === undefined ? `exit code: ${exitCode}` : `exit code: ${exitCode}: ${failure}`;
  throw failed(scope, step, base, { exitCode, why });
}

/** Where SSH finds the first agent, lent or not, unless the step says so itself; as BuildKit sets it. */
function agentVariable({ env, mounts }: ExecStep): readonly (readonly [string, string])[] {
  const first = mounts.find(({ type }) => type === 'ssh');
  const isSet = env.entries().some(([name]) => name === 'SSH_AUTH_SOCK');
  return first?.target === undefined || isSet ? [] : [['SSH_AUTH_SOCK', first.target]];
}

/** The state it would have run in is kept for a look inside. */
function failed(
  { inputs }: MountScope,
  step: ExecStep,
  base: BuiltRoot,
  { exitCode, why }: { exitCode: number | undefined; why: string },
): Fault {
  const message = `process ${JSON.stringify(step.args.join(' '))} did not complete successfully: ${why}`;
  const cause: BuildFailure = { message, source: rangeOf(step), text: undefined, exitCode, vertex: vertexOf(step) };
  inputs.failed?.(step, base, cause);
  return new Fault('invalid', message, { cause });
}

function rangeOf({ range }: ExecStep): BuildSourceRange | undefined {
  return range === undefined ? undefined : { file: '', start: range.start, end: range.end };
}
