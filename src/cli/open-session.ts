/** The session of a real process: its descriptors, its environment. */
import { type Client, createClient } from '../client/index.ts';
import { chooseEndpoint, type ConfigFile, type EndpointChoice, readConfigFile } from '../context/index.ts';
import type { GlobalOptions } from './global-options.ts';
import { standardInput } from './input.ts';
import { descriptorOutput } from './output/stream.ts';
import type { Session } from './session.ts';

export function openSession(options: GlobalOptions): Session {
  const { env } = process;
  let config: ConfigFile | undefined;
  let choice: Promise<EndpointChoice> | undefined;
  let client: Promise<Client> | undefined;
  const session: Session = {
    env,
    options,
    out: descriptorOutput(1),
    err: descriptorOutput(2),
    in: standardInput(),
    now: () => Date.now(),
    config: () => (config ??= readConfigFile(options.configFolder)),
    endpoint: () => (choice ??= Promise.try(chooseEndpoint, options, env, () => session.config())),
    client: () => (client ??= connect(session)),
  };
  return session;
}

async function connect(session: Session): Promise<Client> {
  const { endpoint, isDefault } = await session.endpoint();
  const client = createClient({
    endpoint,
    version: session.env['DOCKER_API_VERSION'] === '' ? undefined : session.env['DOCKER_API_VERSION'],
    headers: isDefault ? {} : (session.config().data.HttpHeaders ?? {}),
  });
  if (isDefault && endpoint.kind === 'unix') {
    const { existsSync } = await import('node:fs');
    if (!existsSync(endpoint.path) && process.getuid?.() === 0) {
      const { startDaemon } = await import('./daemon/start.ts');
      await startDaemon(session, client);
    }
  }
  return client;
}
