/** Which daemon a command talks to: `-H`, then `--context`, DOCKER_HOST, WHERRY_HOST, DOCKER_CONTEXT, the current context, our own socket. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Endpoint, parseEndpoint, type TlsSettings } from '../client/index.ts';
import { errorCode, Fault, userFolders } from '../std/index.ts';
import type { ConfigFile } from './config-file.ts';
import { ContextStore } from './store.ts';

/** What was asked for, by flags or by the environment. */
export interface EndpointOptions {
  configFolder: string;
  context: string | undefined;
  host: string | undefined;
  tls: boolean;
  tlsVerify: boolean;
  tlsCaCert: string;
  tlsCert: string;
  tlsKey: string;
}

const rootSocket = '/run/wherry/wherry.sock';

/** Root's, or for an ordinary user the one of his own daemon, unless there is none and root's is open to him. */
export function defaultSocket(env: Environment): string {
  if (process.getuid?.() === 0) return rootSocket;
  const own = join(userFolders(env).run, 'wherry.sock');
  return !existsSync(own) && isOpen(rootSocket) ? rootSocket : own;
}

function isOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export interface EndpointChoice {
  endpoint: Endpoint;
  /** The context's name; "default" when no context says where. */
  context: string;
  /** Nobody asked for a place: it is our own socket, and we may start the daemon. */
  isDefault: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws Fault not-found for a context that is not there. */
export function chooseEndpoint(options: EndpointOptions, env: Environment, config: () => ConfigFile): EndpointChoice {
  if (options.host !== undefined && options.context !== undefined) {
    throw new Fault('invalid', 'conflicting options: cannot specify both --host and --context');
  }
  const name = contextName(options, env, config);
  if (name !== 'default') return fromContext(name, options, env);
  const host = options.host ?? given(env['DOCKER_HOST']) ?? given(env['WHERRY_HOST']);
  const tls = tlsFromOptions(options);
  return {
    endpoint: parseEndpoint(host ?? `unix://${defaultSocket(env)}`, tls),
    context: 'default',
    isDefault: host === undefined,
  };
}

/** The context in force, as `context show` says it. */
export function contextName(options: EndpointOptions, env: Environment, config: () => ConfigFile): string {
  if (options.context !== undefined) return options.context;
  if (options.host !== undefined) return 'default';
  if (given(env['DOCKER_HOST']) !== undefined || given(env['WHERRY_HOST']) !== undefined) return 'default';
  return given(env['DOCKER_CONTEXT']) ?? given(config().data.currentContext) ?? 'default';
}

function fromContext(name: string, options: EndpointOptions, env: Environment): EndpointChoice {
  const store = new ContextStore(options.configFolder);
  try {
    const docker = store.read(name).Endpoints['docker'] ?? {};
    const files = store.readTls(name);
    const tls: TlsSettings | undefined =
      Object.keys(files).length === 0 && docker.SkipTLSVerify !== true
        ? undefined
        : {
            verify: docker.SkipTLSVerify !== true,
            ...(files['ca.pem'] === undefined ? {} : { ca: files['ca.pem'] }),
            ...(files['cert.pem'] === undefined ? {} : { cert: files['cert.pem'] }),
            ...(files['key.pem'] === undefined ? {} : { key: files['key.pem'] }),
          };
    const isOwn = docker.Host === undefined || docker.Host === '';
    return {
      endpoint: parseEndpoint(isOwn ? `unix://${defaultSocket(env)}` : docker.Host!, tls),
      context: name,
      isDefault: false,
    };
  } catch (error) {
    if (!(error instanceof Fault) || error.kind !== 'not-found') throw error;
    throw new Fault('not-found', `Failed to initialize: unable to resolve docker endpoint: ${error.message}`);
  }
}

function tlsFromOptions(options: EndpointOptions): TlsSettings | undefined {
  if (!options.tls && !options.tlsVerify) return undefined;
  const ca = readIfThere(options.tlsCaCert);
  const cert = readIfThere(options.tlsCert);
  const key = readIfThere(options.tlsKey);
  return {
    verify: options.tlsVerify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function given(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
