/** The first process of a container, from the state that its runtime keeps: how to end one that has no control group. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @returns its pid and when it started, in clock ticks; undefined when the runtime knows of none */
export function firstProcess(stateRoot: string, id: string): { pid: number; start: string } | undefined {
  const folder = join(stateRoot, id);
  const crun = parse(join(folder, 'status'));
  if (crun !== undefined) return named(crun['pid'], crun['process-start-time']);
  const runc = parse(join(folder, 'state.json'));
  return runc === undefined ? undefined : named(runc['init_process_pid'], runc['init_process_start']);
}

function named(pid: unknown, start: unknown): { pid: number; start: string } | undefined {
  if (typeof pid !== 'number' || pid <= 0 || (typeof start !== 'number' && typeof start !== 'string')) return undefined;
  return { pid, start: String(start) };
}

function parse(file: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
