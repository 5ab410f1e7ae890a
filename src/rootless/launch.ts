/**
 * wherryd of an ordinary user. This process stays on the host, in the user's own name; the daemon itself runs inside the user's
 * namespaces, where it is root. What it needs of the host it asks for here: ports. Killing either harms no container.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { Fault, type Logger, messageOf, rootlessVariable } from '../std/index.ts';
import { Holder } from './holder.ts';
import { Outlet } from './outlet.ts';
import { PortHolder } from './port-holder.ts';
import { lines, type PortAnswer, type PortQuestion, PortRefused, portSocket } from './port-message.ts';
import { needProgram } from './program.ts';
import { keptOf, readKept, writeKept } from './state.ts';

export interface LaunchOptions {
  /** The daemon's program and its arguments. */
  command: readonly string[];
  /** Of the daemon: what is kept here goes below it. */
  execRoot: string;
  log: Logger;
}

const outletEveryMs = 15_000;

/** @returns the daemon's exit code. @throws Fault unavailable saying what the machine lacks, conflict when one runs already */
export async function launch({ command, execRoot, log }: LaunchOptions): Promise<number> {
  for (const [program, of] of [
    ['ip', 'iproute2'],
    ['nft', 'nftables'],
    ['setpriv', 'util-linux'],
  ] as const)
    needProgram(program, of);
  const state = join(execRoot, 'rootless');
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const own = join(state, 'launcher.json');
  const other = readKept(own);
  if (other !== undefined)
    throw new Fault('conflict', `failed to start daemon: wherryd with PID ${other.pid} runs in ${execRoot} already`);
  await writeKept(own, keptOf(process.pid, 'wherryd'));
  const { holder } = await Holder.open(state, log);
  const outlet = new Outlet(state, holder, log);
  const ports = new PortHolder(state, holder, log);
  await ports.open();
  let kind = await outlet.open();
  // A machine that was offline when we came up is online some day.
  const later = setInterval(() => {
    if (kind !== 'none') clearInterval(later);
    else
      void outlet.open().then(
        (found) => (kind = found),
        () => {},
      );
  }, outletEveryMs);
  const server = await servePorts(join(state, portSocket), ports);
  const code = await runInside(holder, command, { ...process.env, [rootlessVariable]: state });
  clearInterval(later);
  server.close();
  if (!holder.isInhabited()) {
    await ports.close();
    await outlet.close();
    await holder.close();
    rmSync(state, { recursive: true, force: true });
  }
  rmSync(own, { force: true });
  return code;
}

/** The daemon, until it ends. It goes when we go, however that is. */
async function runInside(holder: Holder, command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [program = '', ...args] = holder.inside([
    needProgram('setpriv', 'util-linux'),
    '--pdeathsig',
    'KILL',
    '--',
    ...command,
  ]);
  const child = spawn(program, args, { stdio: 'inherit', env });
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const;
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of signals) process.on(signal, pass);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]));
    });
  } finally {
    for (const signal of signals) process.off(signal, pass);
  }
}

function servePorts(path: string, ports: PortHolder): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    const serve = async (): Promise<void> => {
      for await (const line of lines(socket as AsyncIterable<Buffer>)) {
        const question = JSON.parse(line) as PortQuestion;
        socket.write(`${JSON.stringify(await answer(ports, question))}\n`);
      }
    };
    serve().catch(() => socket.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

async function answer(ports: PortHolder, question: PortQuestion): Promise<PortAnswer> {
  const { id } = question;
  try {
    if (question.ask === 'held') return { id, held: ports.held() };
    if (question.ask === 'hold') return { id, taps: await ports.hold(question.container, question.ports) };
    await ports.release(question.container);
    return { id };
  } catch (error) {
    const refused = error instanceof PortRefused ? error : undefined;
    return { id, code: refused?.code ?? 'EIO', message: messageOf(error), index: refused?.index };
  }
}
