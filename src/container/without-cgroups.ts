/** What cgroups do elsewhere, where there are none for us (rootless without delegation): to know a container's processes, and to end them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { processesOfNamespace, processesOn } from '../linux/index.ts';
import type { Context } from './context.ts';
import type { ContainerRecord, RunState } from './record.ts';

/** Those of its own pid namespace; where it shares another's, those that have its root. */
export function processesWithoutGroup(context: Context, record: ContainerRecord, run: RunState): number[] {
  const own = record.hostConfig.PidMode ? undefined : processesOfNamespace(run.pid);
  return own ?? processesOn(context.snapshots.describe(record.id).merged);
}

/** Ends what a container leaves behind whose pid namespace does not end with it. Its root must be mounted still. */
export async function endLeftProcesses(context: Context, record: ContainerRecord): Promise<void> {
  if (context.settings.cgroups.usable || !record.hostConfig.PidMode) return;
  const { merged } = context.snapshots.describe(record.id);
  for (let attempt = 0; attempt < 50; attempt++) {
    const left = processesOn(merged);
    if (left.length === 0) return;
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended between the listing and the signal.
      }
    }
    await sleep(attempt < 10 ? 1 : 10);
  }
}
