/** Containers' streams: wait, attach (hijacked and WebSocket), logs, stats, export. */
import type { AttachOptions, ContainerStats, WaitCondition } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import type { Call } from '../call.ts';
import { goJson, goJsonExact } from '../go-json.ts';
import { file, json, type RawReply, type Reply, stream } from '../http/reply.ts';
import { pump, rawType, stdioBody, stdioType } from '../stdio.ts';
import { acceptWebSocket, pumpWebSocket } from '../websocket.ts';

const conditions: readonly WaitCondition[] = ['not-running', 'next-exit', 'removed'];

/** From 1.30 the head is sent as soon as the waiter is registered: the docker CLI starts the container only then. */
export async function wait(call: Call): Promise<Reply> {
  const { result } = await call.engine.containers.wait(call.name, waitCondition(call), call.signal);
  if (call.version < 30) {
    const { StatusCode } = await result;
    return json({ StatusCode });
  }
  // The client may be gone before anyone awaits it.
  result.catch(() => {});
  return stream({ 'Content-Type': 'application/json' }, waitLine(result));
}

function waitCondition(call: Call): WaitCondition {
  const asked = call.version < 30 ? undefined : call.query.text('condition');
  if (asked === undefined) return 'not-running';
  const known = conditions.find((each) => each === asked);
  if (known === undefined && call.version >= 42)
    throw new Fault('invalid', `invalid condition: ${JSON.stringify(asked)}`);
  return known ?? 'not-running';
}

async function* waitLine(
  result: Promise<{ StatusCode: number; Error: { Message: string } | null }>,
): AsyncGenerator<string> {
  const { StatusCode, Error } = await result;
  yield `${goJson({ Error, StatusCode })}\n`;
}

export async function attach(call: Call): Promise<Reply> {
  const options = attachOptions(call);
  const session = await call.engine.containers.attach(call.name, options);
  const framed = !session.tty;
  return hijack(call, framed, (raw) => pump(raw, session, { framed, input: options.stdin && options.stream }));
}

function attachOptions(call: Call): AttachOptions {
  return {
    stream: call.query.boolean('stream'),
    stdin: call.query.boolean('stdin'),
    stdout: call.query.boolean('stdout'),
    stderr: call.query.boolean('stderr'),
    logs: call.query.boolean('logs'),
    detachKeys: call.query.text('detachKeys'),
  };
}

/** Takes the connection over: 101 when the client asked to upgrade, else a 200 whose body ends with the connection. */
export function hijack(call: Call, framed: boolean, serve: RawReply['serve']): Reply {
  const upgrade = call.header('upgrade') !== undefined;
  const head = upgrade
    ? `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${stdioType(call.version, framed)}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n`
    : `HTTP/1.1 200 OK\r\nContent-Type: ${rawType}\r\n`;
  return { kind: 'raw', head, serve };
}

/** Before 1.42 the three stream flags were ignored: all streams are attached. */
export async function attachSocket(call: Call): Promise<Reply> {
  const handshake = acceptWebSocket((name) => call.header(name));
  const asked = attachOptions(call);
  const all = call.version < 42;
  const options = {
    ...asked,
    stdin: all || asked.stdin,
    stdout: all || asked.stdout,
    stderr: all || asked.stderr,
  };
  const session = await call.engine.containers.attach(call.name, options);
  return {
    kind: 'raw',
    head: handshake,
    serve: (raw) => pumpWebSocket(raw, session, { input: options.stdin && options.stream }),
  };
}

export async function logs(call: Call): Promise<Reply> {
  const { query } = call;
  const stdout = query.boolean('stdout');
  const stderr = query.boolean('stderr');
  if (!stdout && !stderr) throw new Fault('invalid', 'Bad parameters: you must choose at least one stream');
  const { tty, frames } = await call.engine.containers.logs(
    call.name,
    {
      follow: query.boolean('follow'),
      stdout,
      stderr,
      since: positive(query.time('since')),
      until: positive(query.time('until')),
      timestamps: query.boolean('timestamps'),
      tail: tailOf(query.text('tail')),
      details: query.boolean('details'),
    },
    call.signal,
  );
  return stream({ 'Content-Type': stdioType(call.version, !tty) }, stdioBody(frames, !tty));
}

/** Clients send 0 for "no limit". */
function positive(at: bigint | undefined): bigint | undefined {
  return at === 0n ? undefined : at;
}

/** "all", a negative number or nonsense mean everything, as in dockerd. */
function tailOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

export async function stats(call: Call): Promise<Reply> {
  const following = call.query.boolean('stream', true);
  const oneShot = call.version >= 41 && call.query.boolean('one-shot');
  if (following && oneShot) throw new Fault('invalid', 'cannot have stream=true and one-shot=true');
  const samples = await call.engine.containers.stats(call.name, { stream: following, oneShot }, call.signal);
  return stream({ 'Content-Type': 'application/json' }, statsLines(samples, following));
}

async function* statsLines(samples: AsyncIterable<ContainerStats>, following: boolean): AsyncGenerator<string> {
  for await (const sample of samples) {
    yield `${goJsonExact(sample)}\n`;
    if (!following) return;
  }
}

export async function exportTar(call: Call): Promise<Reply> {
  return file('application/octet-stream', await call.engine.containers.export(call.name, call.signal));
}
