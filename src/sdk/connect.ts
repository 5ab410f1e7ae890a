/** The way to a daemon: found as the command line finds it, and asked once, so that nobody works with one that is not there. */
import { existsSync } from 'node:fs';
import { ApiFault, createClient } from '../client/index.ts';
import { chooseEndpoint, defaultConfigFolder, endpointOptions, readConfigFile } from '../context/index.ts';
import { Fault, messageOf } from '../std/index.ts';
import { Engine } from './engine.ts';

export interface ConnectOptions {
  /** `unix:///path`, `tcp://host:port`, `ssh://user@host`. Without one: DOCKER_HOST, WHERRY_HOST, the current context, Wherry's own socket. */
  endpoint?: string;
  /** The name of a Docker context. */
  context?: string;
  /** Pins the API version ("1.41") instead of negotiating it. */
  version?: string;
  /** Read instead of the process's own. */
  env?: Readonly<Record<string, string | undefined>>;
  signal?: AbortSignal;
}

const dockerSocket = '/var/run/docker.sock';

/** @throws Fault unavailable when no daemon answers there, forbidden when its socket may not be opened */
export async function connect(options: ConnectOptions = {}): Promise<Engine> {
  const { env = process.env } = options;
  const config = readConfigFile(defaultConfigFolder(env));
  const { endpoint, isDefault } = chooseEndpoint(
    { ...endpointOptions(env), host: options.endpoint, context: options.context },
    env,
    () => config,
  );
  const pinned = options.version ?? env['DOCKER_API_VERSION'];
  const client = createClient({
    endpoint,
    version: pinned === '' ? undefined : pinned,
    headers: isDefault ? {} : (config.data.HttpHeaders ?? {}),
  });
  try {
    await client.system.ping(options.signal);
  } catch (error) {
    client.close();
    throw withAdvice(error, isDefault);
  }
  return new Engine(client, { config: () => config });
}

function withAdvice(error: unknown, isDefault: boolean): unknown {
  if (!(error instanceof Fault) || error instanceof ApiFault) return error;
  const advice = adviceFor(error, isDefault);
  return advice === undefined ? error : new Fault(error.kind, `${messageOf(error)}\n${advice}`, { cause: error });
}

function adviceFor({ kind }: Fault, isDefault: boolean): string | undefined {
  if (kind === 'forbidden') return "Run the program with sudo, or add its user to the socket's group.";
  if (kind !== 'unavailable') return undefined;
  if (!isDefault) return 'The address is from connect({ endpoint }), DOCKER_HOST, WHERRY_HOST or the current context.';
  return existsSync(dockerSocket)
    ? `Start it with 'sudo wherry system start', or use the Docker that is here: DOCKER_HOST=unix://${dockerSocket}`
    : "Start it with 'sudo wherry system start', or name another daemon: connect({ endpoint }) or DOCKER_HOST.";
}
