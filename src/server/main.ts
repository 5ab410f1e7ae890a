/** wherryd: reads its settings, opens the engine, serves it, and goes down without touching a container. */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import {
  daemonOptions,
  enterMountNamespace,
  openEngine,
  parseDaemonFlags,
  productVersion,
  resolveConfig,
  type Config,
  type ListenSetting,
  wherryVersion,
} from '../engine/index.ts';
import { launch } from '../rootless/index.ts';
import { createLogger, errorCode, Fault, faultKind, isJournal, messageOf, withPriority } from '../std/index.ts';
import { activatedFds } from './activation.ts';
import { MemoryRelief } from './memory-relief.ts';
import { createServer, type ListenTarget, type Server } from './server.ts';
import { isHostStopping, notifyManager } from './service-manager.ts';

function usage(): string {
  const lines = Object.entries(daemonOptions).map(([name, option]) => {
    const short = option.short === undefined ? '    ' : `-${option.short}, `;
    const value = option.kind === 'boolean' ? '' : ` ${option.kind}`;
    return `  ${short}--${`${name}${value}`.padEnd(34)} ${option.help}`;
  });
  return `
Usage:  wherryd [OPTIONS]

The Wherry engine: a daemon that speaks the Docker Engine API.

Options:
${lines.join('\n')}
  -h, --help                                 Print usage
      --validate                             Check the configuration and exit
  -v, --version                              Print version information and quit
`;
}

async function main(args: string[]): Promise<number> {
  const { help, version, validate } = parseDaemonFlags(args);
  if (help) {
    process.stdout.write(usage());
    return 0;
  }
  if (version) {
    process.stdout.write(`Wherry version ${wherryVersion} (Docker Engine ${productVersion})\n`);
    return 0;
  }
  const config = resolveConfig(args, process.env);
  if (validate) {
    process.stdout.write('configuration OK\n');
    return 0;
  }
  process.umask(0o022);
  const log = createLogger({
    level: config.logLevel,
    format: config.logFormat,
    write: (line) => void process.stderr.write(line),
    priorities: isJournal(process.env),
  });
  if (process.getuid?.() !== 0) {
    const command = [process.execPath, ...process.execArgv, process.argv[1]!, ...args];
    return launch({ command, execRoot: config.execRoot, log });
  }
  enterMountNamespace();
  await claim(config);
  const started = performance.now();
  await using open = await openEngine(config, log);
  // Before anybody is answered: what ended while no daemon watched must not be shown as running.
  await open.resume();
  const server = createServer({ engine: open.engine, building: open.building, logger: log, productVersion });
  for (const setting of config.hosts) {
    for (const target of await targets(setting, config)) {
      const at = await server.listen(target);
      // What the service manager opened has no path to tell.
      const place =
        'fd' in target ? { fd: target.fd } : 'path' in at ? { path: at.path } : { host: at.host, port: at.port };
      log.info('API listen on', place);
    }
  }
  if (config.metricsAddress !== undefined) {
    await server.listen({ ...config.metricsAddress, readOnly: true, metricsOnly: true });
    log.info('metrics listen on', config.metricsAddress);
  }
  writePidfile(config);
  const about = open.describe();
  log.info('Daemon has completed initialization', {
    version: wherryVersion,
    runtime: about.runtime,
    cgroups: about.cgroups,
    ms: Math.round(performance.now() - started),
  });
  notifyManager(process.env, ['READY=1', `STATUS=Wherry ${wherryVersion} with ${about.runtime}`], log);
  using _relief = new MemoryRelief();
  await untilSignal(log, config);
  notifyManager(process.env, ['STOPPING=1'], log);
  if (await isHostStopping()) await open.halt();
  await shutDown(server, config);
  return 0;
}

/** Two daemons on one data root would ruin it: the pidfile of a living one refuses. */
async function claim(config: Config): Promise<void> {
  mkdirSync(dirname(config.pidfile), { recursive: true, mode: 0o755 });
  const running = livePid(config.pidfile);
  if (running !== undefined && running !== process.pid) {
    throw new Fault(
      'conflict',
      `failed to start daemon, ensure wherryd is not running or delete ${config.pidfile}: process with PID ${running} is still running`,
    );
  }
  for (const { url } of config.hosts) {
    const path = url.startsWith('unix://') ? url.slice('unix://'.length) : undefined;
    if (path !== undefined && existsSync(path) && (await answers(path))) {
      throw new Fault('conflict', `failed to start daemon: another process listens on ${path}`);
    }
  }
  mkdirSync(config.execRoot, { recursive: true, mode: 0o711 });
}

function livePid(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim());
    if (!Number.isInteger(pid) || pid <= 0) return undefined;
    process.kill(pid, 0);
    return /wherry|server\/main|wherryd/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ? pid : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function writePidfile(config: Config): void {
  const temporary = `${config.pidfile}.${process.pid}`;
  rmSync(temporary, { force: true });
  closeSync(openSync(temporary, 'wx', 0o644));
  writeFileSync(temporary, `${process.pid}\n`);
  rmSync(config.pidfile, { force: true });
  writeFileSync(config.pidfile, `${process.pid}\n`, { mode: 0o644 });
  rmSync(temporary, { force: true });
}

/** A -H value to what to listen on. @throws Fault invalid */
async function targets(setting: ListenSetting, config: Config): Promise<ListenTarget[]> {
  const extra = { readOnly: setting.readOnly, ...(setting.project === undefined ? {} : { project: setting.project }) };
  const { url } = setting;
  if (url.startsWith('unix://') || url.startsWith('/')) {
    const path = url.replace(/^unix:\/\//, '');
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    return [{ path, mode: 0o660, ...((await groupExists(config.group)) ? { group: config.group } : {}), ...extra }];
  }
  if (url.startsWith('fd://')) {
    const fds = activatedFds(process.env, process.pid);
    if (fds.length === 0)
      throw new Fault(
        'invalid',
        `failed to load listeners: no sockets found via socket activation: make sure the service was started by systemd`,
      );
    return fds.map((fd) => ({ fd, ...extra }));
  }
  const match = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/]*))(?::(\d+))?\/?$/.exec(url);
  if (match === null)
    throw new Fault('invalid', `invalid host "${url}": wanted unix://<path>, tcp://<address>:<port> or fd://`);
  const host = match[1] ?? match[2] ?? '';
  const port = Number(match[3] ?? (config.tls ? 2376 : 2375));
  if (!config.tls) {
    if (!/^(127\.|localhost$|::1$)/.test(host)) {
      throw new Fault(
        'invalid',
        `Cannot listen on ${url} without TLS: anyone who reaches that address would be root here. Use --tlsverify with --tlscacert, --tlscert and --tlskey, or listen on 127.0.0.1`,
      );
    }
    return [{ host, port, ...extra }];
  }
  const read = (name: string, file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new Fault('invalid', `could not load ${name} ${file}: ${messageOf(error)}`, { cause: error });
    }
  };
  const tls = {
    cert: read('X509 key pair', config.tlsCert),
    key: read('X509 key pair', config.tlsKey),
    ...(config.tlsVerify ? { ca: read('CA certificate', config.tlsCaCert) } : {}),
    verify: config.tlsVerify,
  };
  return [{ host: host || '0.0.0.0', port, tls, ...extra }];
}

async function groupExists(name: string): Promise<boolean> {
  if (/^\d+$/.test(name)) return true;
  const { readFile } = await import('node:fs/promises');
  return new RegExp(`^${name.replace(/[^\w-]/g, '')}:`, 'm').test(await readFile('/etc/group', 'utf8'));
}

function untilSignal(log: ReturnType<typeof createLogger>, config: Config): Promise<void> {
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals): void => {
      log.info(`Processing signal '${signal}'`);
      resolve();
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    process.on('SIGHUP', () => {
      try {
        log.setLevel(resolveConfig(process.argv.slice(2), process.env).logLevel);
        log.info('configuration reloaded', { logLevel: config.logLevel });
      } catch (error) {
        log.error('configuration not reloaded', { error: messageOf(error) });
      }
    });
    process.on('SIGPIPE', () => {});
  });
}

async function shutDown(server: Server, config: Config): Promise<void> {
  await server.close({ graceMs: 2000 });
  if (livePid(config.pidfile) === process.pid) rmSync(config.pidfile, { force: true });
}

try {
  process.exitCode = await main(process.argv.slice(2));
  // Whatever still holds the event loop (a container's pipe) is not worth waiting for.
  process.exit();
} catch (error) {
  const text = faultKind(error) === 'internal' && error instanceof Error ? error.stack : undefined;
  const lines = `${text ?? `wherryd: ${messageOf(error)}`}\n`;
  process.stderr.write(isJournal(process.env) ? withPriority('error', lines) : lines);
  process.exit(1);
}
