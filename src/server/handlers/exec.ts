/** Processes started in running containers. */
import { parseExecBody, parseExecStart } from '../body/exec.ts';
import type { Call } from '../call.ts';
import { applyDeltas, execDeltas } from '../deltas.ts';
import { empty, json, type Reply } from '../http/reply.ts';
import { pump } from '../stdio.ts';
import { sizeOf } from './container.ts';
import { hijack } from './container-stream.ts';

export async function create(call: Call): Promise<Reply> {
  const body = applyDeltas(execDeltas, call.version, parseExecBody(await call.requiredJson()));
  return json(await call.engine.execs.create(call.name, body), 201);
}

/** Frames or not is the request's choice (`Tty`), as in dockerd, not the exec's. */
export async function start(call: Call): Promise<Reply> {
  const { detach, tty, consoleSize } = parseExecStart(await call.json());
  const { session } = await call.engine.execs.start(call.name, {
    detach,
    tty,
    consoleSize: call.version < 42 ? undefined : consoleSize,
  });
  if (session === undefined) return empty(200);
  return hijack(call, !tty, (raw) => pump(raw, session, { framed: !tty, input: true }));
}

export async function resize(call: Call): Promise<Reply> {
  await call.engine.execs.resize(call.name, sizeOf(call));
  return empty(200);
}

export async function inspect(call: Call): Promise<Reply> {
  return json(await call.engine.execs.inspect(call.name));
}
