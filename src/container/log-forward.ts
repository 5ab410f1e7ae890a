/**
 * The log drivers syslog and journald: the monitor's file is followed and each line sent on, from where the last daemon stopped, so
 * that nothing is lost while no daemon runs and `docker logs` works whatever the driver.
 */
import { createSocket } from 'node:dgram';
import { constants, existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectDatagram } from '../linux/index.ts';
import { Fault, messageOf } from '../std/index.ts';
import { type Context, containerDirectory, type Live, logPath } from './context.ts';
import { type LogEntry, readLog } from './log-file.ts';
import { facilityNumber, journalMessage, type LogSource, syslogMessage } from './log-message.ts';

const { O_RDWR, O_CREAT } = constants;

/** How long a removal waits for lines that are being sent. */
const patienceMs = 3000;

const JOURNAL = '/run/systemd/journal/socket';

interface Sink {
  send(entry: LogEntry, line: string): Promise<void>;
  close(): void;
}

/** Whether the host has what the driver needs. @throws Fault invalid with Docker's words */
export function checkLogDriver(driver: string, options: Readonly<Record<string, string>>): void {
  const wrong = (detail: string): Fault => new Fault('invalid', `failed to initialize logging driver: ${detail}`);
  if (driver === 'journald' && !existsSync(JOURNAL)) throw wrong('journald is not enabled on this host');
  if (driver !== 'syslog') return;
  const address = options['syslog-address'] ?? '';
  if (address === '' && !existsSync('/dev/log'))
    throw wrong('Unix syslog delivery error: there is no /dev/log on this host');
  if (address !== '' && parseAddress(address) === undefined)
    throw wrong(`unsupported syslog address "${address}": use unix://, unixgram://, udp:// or tcp://`);
  if (facilityNumber(options['syslog-facility']) === undefined)
    throw wrong(`invalid syslog facility "${options['syslog-facility']}"`);
}

function parseAddress(
  text: string,
): { kind: 'unix' | 'unixgram' | 'udp' | 'tcp'; path: string; host: string; port: number } | undefined {
  const local = /^(unix|unixgram):\/\/(\/.+)$/.exec(text);
  if (local !== null) return { kind: local[1] as 'unix', path: local[2]!, host: '', port: 0 };
  const remote = /^(udp|tcp):\/\/(?:\[([^\]]+)\]|([^:/]+))(?::(\d+))?$/.exec(text);
  if (remote === null) return undefined;
  return { kind: remote[1] as 'udp', path: '', host: remote[2] ?? remote[3]!, port: Number(remote[4] ?? 514) };
}

/** What is being forwarded for a container: one run's lines after the other's. */
const forwarding = new WeakMap<Live, Promise<void>>();

/** Begins forwarding for a container whose driver asks for it: what its run prints, and what no daemon saw of earlier ones. */
export function forwardLogs(context: Context, live: Live): void {
  const driver = live.record.hostConfig.LogConfig?.Type ?? '';
  if (driver !== 'syslog' && driver !== 'journald') return;
  const { run } = live;
  const before = forwarding.get(live) ?? Promise.resolve();
  const now = before.catch(() => {}).then(() => forward(context, live, run, driver));
  forwarding.set(live, now);
  context.background(now);
}

/** Before the container's files go: what it printed last is sent, unless whom it is for keeps us waiting. */
export async function logsForwarded(live: Live): Promise<void> {
  const sending = forwarding.get(live);
  if (sending === undefined) return;
  const controller = new AbortController();
  const patience = sleep(patienceMs, undefined, { signal: controller.signal }).catch(() => {});
  await Promise.race([sending.catch(() => {}), patience]);
  controller.abort();
}

async function forward(context: Context, live: Live, run: Live['run'], driver: 'syslog' | 'journald'): Promise<void> {
  const { record } = live;
  const log = logPath(context, record.id);
  const controller = new AbortController();
  const reading = {
    tail: undefined,
    since: undefined,
    until: undefined,
    stdout: true,
    stderr: true,
    follow: undefined,
  };
  const source: LogSource = {
    id: record.id,
    name: record.name,
    image: record.config.Image ?? '',
    labels: record.config.Labels ?? {},
    options: record.hostConfig.LogConfig?.Config ?? {},
  };
  let sink: Sink | undefined;
  let line = { stdout: '', stderr: '' };
  // Kept open: a --rm container's directory goes while its last lines are sent.
  const positionFile = await open(join(containerDirectory(context, record.id), 'forwarded'), O_RDWR | O_CREAT, 0o600);
  try {
    const position = BigInt((await positionFile.readFile('utf8')).trim() || '0');
    if (run === undefined) {
      let last = 0n;
      for await (const entry of readLog(log, { ...reading, tail: 1 }, controller.signal)) last = entry.at;
      if (last <= position) return;
    }
    const entries = readLog(
      log,
      {
        ...reading,
        since: position === 0n ? undefined : position + 1n,
        follow: () => run !== undefined && live.run === run && !context.closing(),
        onWake: (wake) => {
          void live.exited?.promise.then(wake);
          return () => {};
        },
      },
      controller.signal,
    );
    for await (const entry of entries) {
      const text = line[entry.stream] + entry.data.toString('utf8').replace(/\n$/, '');
      if (entry.partial) {
        line = { ...line, [entry.stream]: text };
        continue;
      }
      line = { ...line, [entry.stream]: '' };
      for (let attempt = 0; ; attempt++) {
        try {
          sink ??= await openSink(driver, source, run?.pid ?? 0);
          await sink.send(entry, text);
          break;
        } catch (error) {
          sink?.close();
          sink = undefined;
          if (attempt === 0)
            context.log.warn('cannot forward a log; trying on', {
              container: record.id,
              driver,
              error: messageOf(error),
            });
          if (context.closing() || attempt > 600) return;
          await sleep(Math.min(5000, 100 * 2 ** attempt), undefined, { ref: false });
        }
      }
      // In place, and always as long: a daemon killed here leaves the old number or the new one.
      await positionFile.write(entry.at.toString(), 0);
    }
  } finally {
    sink?.close();
    controller.abort();
    await positionFile.close();
  }
}

async function openSink(driver: 'syslog' | 'journald', source: LogSource, pid: number): Promise<Sink> {
  const message = (entry: LogEntry, line: string): Buffer =>
    driver === 'journald'
      ? journalMessage(source, entry.stream, entry.at, line)
      : syslogMessage(source, entry.stream, entry.at, line, pid);
  const address = driver === 'journald' ? undefined : parseAddress(source.options['syslog-address'] ?? '');
  if (address === undefined || address.kind === 'unixgram') {
    const socket = connectDatagram(driver === 'journald' ? JOURNAL : (address?.path ?? '/dev/log'));
    return {
      send: async (entry, line) => {
        while (!socket.send(message(entry, line))) await sleep(20);
      },
      close: () => socket[Symbol.dispose](),
    };
  }
  if (address.kind === 'udp') {
    const socket = createSocket(address.host.includes(':') ? 'udp6' : 'udp4').unref();
    return {
      send: (entry, line) =>
        new Promise((resolve, reject) => {
          socket.send(message(entry, line), address.port, address.host, (error) =>
            error === null ? resolve() : reject(error),
          );
        }),
      close: () => void socket.close(),
    };
  }
  const socket = address.kind === 'unix' ? connect(address.path) : connect(address.port, address.host);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => {});
  socket.unref();
  return {
    send: (entry, line) =>
      new Promise((resolve, reject) => {
        socket.write(message(entry, line), (error) => (error ? reject(error) : resolve()));
      }),
    close: () => void socket.destroy(),
  };
}
