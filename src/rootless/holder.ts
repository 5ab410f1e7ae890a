/**
 * The namespaces in which a user's daemon and containers live: one process that sleeps holds user, mount and network namespace. It
 * outlives every daemon, so that a new one finds mounts, bridges and containers as they were.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, type Logger, messageOf } from '../std/index.ts';
import { mapArguments, rangesOf } from './id-maps.ts';
import { findProgram, must, needProgram } from './program.ts';
import { endKept, type Kept, keptOf, readKept, writeKept } from './state.ts';

const startMs = 5000;

export class Holder {
  readonly pid: number;
  readonly #file: string;

  private constructor(pid: number, file: string) {
    this.pid = pid;
    this.#file = file;
  }

  /** The one that lives, or a new one. @throws Fault unavailable saying what the machine lacks */
  static async open(state: string, log: Logger): Promise<{ holder: Holder; isNew: boolean }> {
    const file = join(state, 'holder.json');
    const kept = readKept(file);
    if (kept !== undefined) return { holder: new Holder(kept.pid, file), isNew: false };
    const made = await make(log);
    await writeKept(file, made);
    return { holder: new Holder(made.pid, file), isNew: true };
  }

  get userNamespace(): string {
    return `/proc/${this.pid}/ns/user`;
  }

  get networkNamespace(): string {
    return `/proc/${this.pid}/ns/net`;
  }

  /** A command line that runs `command` inside, as its root. */
  inside(command: readonly string[]): string[] {
    const entered = ['-t', String(this.pid), '-U', '-m', '-n', '--preserve-credentials'];
    return [needProgram('nsenter', 'util-linux'), ...entered, '--', ...command];
  }

  /** @throws Fault unavailable with what it complained of */
  async run(command: readonly string[], input?: string): Promise<string> {
    const [program = '', ...args] = this.inside(command);
    return must(program, args, input);
  }

  /** Whether anything but the holder lives in the mount namespace: monitors of containers, a daemon. */
  isInhabited(): boolean {
    const ours = namespaceOf(this.pid);
    return readdirSync('/proc').some(
      (name) => /^\d+$/.test(name) && Number(name) !== this.pid && namespaceOf(Number(name)) === ours,
    );
  }

  close(): Promise<void> {
    return endKept(this.#file);
  }
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    // Gone, or not ours to ask.
    return undefined;
  }
}

async function make(log: Logger): Promise<Kept> {
  const unshare = needProgram('unshare', 'util-linux');
  // What the host mounts later shows inside, too; not the other way.
  const args = ['--user', '--mount', '--net', '--propagation', 'slave', 'sleep', 'infinity'];
  let complaint = '';
  const child = spawn(unshare, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
  child.stderr.on('data', (data: Buffer) => (complaint += data.toString()));
  let isOver = false;
  child.once('exit', () => (isOver = true));
  child.once('error', (error) => ((isOver = true), (complaint = error.message)));
  const own = readlinkSync('/proc/self/ns/user');
  for (const late = Date.now() + startMs; !isInside(child.pid, own); await sleep(2)) {
    if (isOver || Date.now() > late) {
      child.kill('SIGKILL');
      throw new Fault('unavailable', refusal(complaint.trim()));
    }
  }
  const kept = keptOf(child.pid!, 'the holder of the namespaces');
  try {
    await mapIds(kept.pid, log);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  child.stderr.destroy();
  child.unref();
  return kept;
}

/** unshare(1) has all namespaces at once when it has become sleep(1). */
function isInside(pid: number | undefined, own: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/user`) !== own && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'sleep';
  } catch {
    return false;
  }
}

function refusal(complaint: string): string {
  const hints = [
    ['/proc/sys/kernel/unprivileged_userns_clone', '0', 'sudo sysctl kernel.unprivileged_userns_clone=1'],
    [
      '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
      '1',
      'sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0',
    ],
    ['/proc/sys/user/max_user_namespaces', '0', 'sudo sysctl user.max_user_namespaces=28633'],
  ] as const;
  const mend = hints.find(([file, value]) => readText(file).trim() === value)?.[2];
  const try_ = mend === undefined ? 'See: wherry system doctor' : `Try: ${mend}`;
  return `Cannot run without root: this machine lets no ordinary user make namespaces (${complaint || 'no reason given'}). ${try_}`;
}

/** All ids that the user has, or where that is not set up the user's own alone, with a warning. */
async function mapIds(pid: number, log: Logger): Promise<void> {
  const { username, uid, gid } = userInfo();
  const uids = rangesOf(readText('/etc/subuid'), username, uid);
  const gids = rangesOf(readText('/etc/subgid'), username, uid);
  const [newuidmap, newgidmap] = [findProgram('newuidmap'), findProgram('newgidmap')];
  let why = '';
  if (newuidmap === undefined || newgidmap === undefined)
    why = 'newuidmap is not installed: sudo apt-get install uidmap';
  else if (uids.length === 0 || gids.length === 0) {
    why = `${username} has no ids in /etc/subuid and /etc/subgid: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}`;
  } else {
    try {
      await must(newuidmap, [String(pid), ...mapArguments(uid, uids)]);
      await must(newgidmap, [String(pid), ...mapArguments(gid, gids)]);
      return;
    } catch (error) {
      // Setuid programs are void in a sandbox with no_new_privs; and a half written map cannot be written again.
      why = messageOf(error);
      if (readText(`/proc/${pid}/uid_map`).trim() !== '') throw error;
    }
  }
  writeFileSync(`/proc/${pid}/setgroups`, 'deny');
  writeFileSync(`/proc/${pid}/uid_map`, `0 ${uid} 1\n`);
  writeFileSync(`/proc/${pid}/gid_map`, `0 ${gid} 1\n`);
  log.warn('only one id: all files of containers belong to you, and programs that change users may fail', { why });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
