/** Compares what an engine tells of its containers with what the kernel tells: after any fault both must say the same. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import type { Daemon } from './daemon.ts';
import { until } from './docker.ts';
import { hashOf, processesOf } from './leaks.ts';

interface Told {
  Id: string;
  Name: string;
  State: { Status: string; Running: boolean; Paused: boolean; Pid: number; ExitCode: number };
}

/** @throws AssertionError when a container is not what it is told to be, or something of none is left */
export async function engineTellsTheTruth(daemon: Daemon, context: string): Promise<void> {
  let wrong: string[] = [];
  // What ended a moment ago may be told a moment later.
  await until(
    async () => {
      wrong = await untruths(daemon);
      return wrong.length === 0;
    },
    { timeoutMs: 15_000, what: 'the truth' },
  ).catch(() => assert.deepEqual(wrong, [], `${context}\n${daemon.log.slice(-3000)}`));
}

async function untruths(daemon: Daemon): Promise<string[]> {
  const ids = (await daemon.docker.ok('ps', '-aq', '--no-trunc')).split('\n').filter(Boolean);
  const told = await Promise.all(ids.map((id) => daemon.api('GET', `/containers/${id}/json`)));
  const containers = told.filter(({ status }) => status === 200).map(({ body }) => body as Told);
  const running = containers.filter(({ State }) => State.Running);
  const wrong: string[] = [];
  for (const { Id, Name, State } of running) {
    if (!isAlive(State.Pid)) wrong.push(`${Name} is told to run as ${State.Pid}, which does not`);
    else if (!cgroupOf(State.Pid).includes(Id)) wrong.push(`${Name}: process ${State.Pid} is not of its cgroup`);
  }
  const live = new Set(running.map(({ Id }) => Id));
  const known = new Set(containers.map(({ Id }) => Id));
  for (const group of globSync(`/sys/fs/cgroup/{*/,}wherry-${hashOf(daemon.dataRoot)}/*`)) {
    const id = /\/([0-9a-f]{64})$/.exec(group)?.[1];
    if (id !== undefined && !live.has(id)) wrong.push(`cgroup ${group} of a container that does not run`);
  }
  for (const { pid, line } of processesOf([daemon.root])) {
    if (!/conmon|crun|runc/.test(line) || !isAlive(pid)) continue;
    const id = /\b([0-9a-f]{64})\b/.exec(line)?.[1];
    if (id !== undefined && !live.has(id)) wrong.push(`process ${pid} of a container that does not run: ${line}`);
  }
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const path = line.split(' ')[4] ?? '';
    if (!path.startsWith(`${daemon.root}/`)) continue;
    const id = /\b([0-9a-f]{64})\b/.exec(path)?.[1];
    if (id !== undefined && !live.has(id)) wrong.push(`mount ${path} of a container that does not run`);
  }
  for (const id of ['runs', 'exits', 'containers'].flatMap((folder) => globSync(`${daemon.execRoot}/${folder}/*`))) {
    const name = /\b([0-9a-f]{64})\b/.exec(id)?.[1];
    if (name !== undefined && !known.has(name)) wrong.push(`${id} of a container that is gone`);
  }
  return wrong;
}

function isAlive(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

function cgroupOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch {
    return '';
  }
}
