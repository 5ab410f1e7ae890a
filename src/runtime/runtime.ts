/**
 * The OCI runtime's verbs (runc or crun), each through a monitor where a process is made. Paths that are walked on every start
 * (start, kill, delete) use the kernel directly and fall back to the runtime's own command.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CgroupLayout, cgroupPids, isAlive, removeCgroup, sealProgram, signalProcess } from '../linux/index.ts';
import { type Monitor, runtimeWords, type StartingMonitor, startMonitor } from '../monitor/index.ts';
import { Fault, runProgram } from '../std/index.ts';
import { releaseExecFifo } from './exec-fifo.ts';
import { firstProcess } from './first-process.ts';
import { type ExecProcess, startExecProcess } from './exec-process.ts';
import { type RunProcess, startRunProcess } from './run-process.ts';

export interface RuntimeProgram {
  /** As clients name it: "crun", "runc", or a name from daemon.json. */
  name: string;
  path: string;
  kind: 'crun' | 'runc';
  version: string;
  arguments: string[];
}

export interface RuntimeOptions {
  program: RuntimeProgram;
  conmon: string;
  /** Where the runtime keeps its state, one folder a container. */
  stateRoot: string;
  exitDirectory: string;
  /** For what monitors and runtimes keep on disk for a moment. */
  temporary: string;
  cgroups: CgroupLayout;
  systemdCgroup: boolean;
}

export interface ProcessOptions {
  id: string;
  name: string;
  bundle: string;
  logPath: string | undefined;
  logSizeMax: number | undefined;
  terminal: boolean;
  stdin: boolean;
  leaveStdinOpen: boolean;
}

const SIGKILL = 9;

export class Runtime {
  readonly program: RuntimeProgram;
  readonly #options: RuntimeOptions;
  #sealed: string | undefined;

  constructor(options: RuntimeOptions) {
    this.#options = options;
    this.program = options.program;
  }

  #globalArguments(): string[] {
    const args = [...this.program.arguments, '--root', this.#options.stateRoot];
    if (this.#options.systemdCgroup) args.push('--systemd-cgroup');
    // runc finds out by itself that it may not make groups.
    if (!this.#options.cgroups.usable && this.program.kind === 'crun') args.push('--cgroup-manager', 'disabled');
    return args;
  }

  /** The program for starts: a sealed copy, so that the runtime need not make one of itself each time. */
  #executable(): string {
    try {
      this.#sealed ??= sealProgram(this.program.kind, readFileSync(this.program.path));
    } catch {
      // Kernels may forbid programs in memory (vm.memfd_noexec): the file itself does as well, only slower.
      this.#sealed = this.program.path;
    }
    return this.#sealed;
  }

  /** `create` of the bundle: afterwards init waits for `start`. @throws Fault with the runtime's words */
  async create(options: ProcessOptions): Promise<Monitor> {
    return this.#monitor(options, options.id, this.#options.exitDirectory, undefined).created;
  }

  /** `run` of the bundle in the foreground; call `delete` when it has ended, however it did. */
  run(options: { id: string; bundle: string }): RunProcess {
    const { temporary } = this.#options;
    return startRunProcess({
      ...options,
      temporary,
      runtime: this.#executable(),
      runtimeArguments: this.#globalArguments(),
    });
  }

  /** `exec` with plain input and output in a running container: the runtime is started, the process when it is told to `run`. */
  exec(options: { id: string; folder: string; stdin: boolean; attach: boolean }): ExecProcess {
    return startExecProcess({
      temporary: this.#options.temporary,
      ...options,
      runtime: this.#executable(),
      runtimeArguments: this.#globalArguments(),
    });
  }

  /** `exec` of a process with a terminal, under a monitor. `bundle` is the exec's own folder, its exit file lands in `<bundle>/exits`. */
  execTerminal(options: ProcessOptions & { execId: string; processSpec: string; attach: boolean }): StartingMonitor {
    return this.#monitor(options, options.execId, `${options.bundle}/exits`, {
      processSpec: options.processSpec,
      attach: options.attach,
    });
  }

  #monitor(
    options: ProcessOptions,
    uuid: string,
    exitDirectory: string,
    exec: { processSpec: string; attach: boolean } | undefined,
  ): StartingMonitor {
    return startMonitor({
      conmon: this.#options.conmon,
      id: options.id,
      uuid,
      name: options.name,
      runtime: this.#executable(),
      runtimeArguments: this.#globalArguments(),
      bundle: options.bundle,
      exitDirectory,
      temporary: this.#options.temporary,
      logPath: options.logPath,
      logSizeMax: options.logSizeMax,
      terminal: options.terminal,
      stdin: options.stdin,
      leaveStdinOpen: options.leaveStdinOpen,
      ...(exec === undefined ? {} : { exec }),
    });
  }

  /** Lets a created container's process go. @throws Fault conflict when it is not waiting any more */
  async start(id: string, alive: () => boolean): Promise<void> {
    await releaseExecFifo(join(this.#options.stateRoot, id, 'exec.fifo'), this.program.kind, alive);
  }

  /** Sends a signal to the container's first process. @returns whether it was still there */
  signal(pid: number, start: string, signal: number): boolean {
    return signalProcess(pid, start, signal);
  }

  /** Applies runtime-spec linux.resources to a running container. */
  async update(id: string, resources: object): Promise<void> {
    const file = `${this.#options.stateRoot}-update-${id}.json`;
    writeFileSync(file, JSON.stringify(resources), { mode: 0o600 });
    try {
      await this.#command(['update', '--resources', file, id]);
    } finally {
      rmSync(file, { force: true });
    }
  }

  /** Removes what is left of an ended container: stray processes, cgroups, the runtime's state. Idempotent. */
  async delete(id: string, cgroup: string): Promise<void> {
    const { cgroups, stateRoot } = this.#options;
    if (!cgroups.usable) await this.#endFirst(id);
    if (!this.#options.systemdCgroup) {
      for (let attempt = 0; attempt < 40; attempt++) {
        if (removeCgroup(cgroups, cgroup)) {
          rmSync(join(stateRoot, id), { recursive: true, force: true });
          return;
        }
        for (const pid of cgroupPids(cgroups, cgroup)) killQuietly(pid);
        await sleep(attempt < 10 ? 1 : 10);
      }
    }
    await runProgram(this.program.path, [...this.#globalArguments(), 'delete', '--force', id]);
    removeCgroup(cgroups, cgroup);
    await rm(join(stateRoot, id), { recursive: true, force: true });
  }

  /** Without a group: the end of its first process is the end of the container's pid namespace. */
  async #endFirst(id: string): Promise<void> {
    const first = firstProcess(this.#options.stateRoot, id);
    if (first === undefined || !signalProcess(first.pid, first.start, SIGKILL)) return;
    for (let attempt = 0; attempt < 200 && isAlive(first.pid, first.start); attempt++)
      await sleep(attempt < 10 ? 1 : 10);
  }

  /** Ids that the runtime still has state for. */
  known(): string[] {
    try {
      return readdirSync(this.#options.stateRoot);
    } catch {
      return [];
    }
  }

  async #command(args: string[]): Promise<void> {
    const result = await runProgram(this.program.path, [...this.#globalArguments(), ...args]);
    if (result.code !== 0) throw new Fault('internal', runtimeWords(result.stderr || result.stdout));
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended between the listing and the signal.
  }
}
