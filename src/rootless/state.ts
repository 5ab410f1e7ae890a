/** Processes of ours that outlive us, kept by pid and start time in the state folder: a pid alone may be somebody else's by now. */
import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, processStart, signalProcess } from '../linux/index.ts';
import { errorCode, Fault, writeFileAtomic } from '../std/index.ts';

export interface Kept {
  pid: number;
  start: string;
}

const endMs = 3000;

/** @throws Fault unavailable when it has ended already */
export function keptOf(pid: number, what: string): Kept {
  const start = processStart(pid);
  if (start === undefined) throw new Fault('unavailable', `Cannot run without root: ${what} ended at once`);
  return { pid, start };
}

/** What the file says, where its process lives. */
export function readKept(file: string): (Kept & Readonly<Record<string, unknown>>) | undefined {
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Kept & Readonly<Record<string, unknown>>;
    return isAlive(kept.pid, kept.start) ? kept : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** @param more what else is to be known of it */
export const writeKept = (file: string, kept: Kept, more: Readonly<Record<string, unknown>> = {}): Promise<void> =>
  writeFileAtomic(file, JSON.stringify({ ...kept, ...more }), { durable: false });

/** Ends it, and takes its file away. */
export async function endKept(file: string): Promise<void> {
  const kept = readKept(file);
  if (kept !== undefined) {
    signalProcess(kept.pid, kept.start, 15);
    for (const late = Date.now() + endMs; isAlive(kept.pid, kept.start); await sleep(10)) {
      if (Date.now() > late) signalProcess(kept.pid, kept.start, 9);
    }
  }
  rmSync(file, { force: true });
}
