/** Services that a program outside provides (`provider:`): docker's plugins, asked to bring them up or take them down. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { Fault, messageOf } from '../../std/index.ts';
import type { Project, Service } from '../project.ts';
import type { Context } from './context.ts';

type Verb = 'up' | 'down' | 'stop';

const doing: Readonly<Record<Verb, readonly [string, string]>> = {
  up: ['Creating', 'Created'],
  down: ['Removing', 'Removed'],
  stop: ['Stopping', 'Stopped'],
};

/** @returns the variables that dependents get. @throws Fault not-found without the program, conflict when it fails */
export async function runProvider(context: Context, service: Service, verb: Verb): Promise<Record<string, string>> {
  const { type, options = {} } = service.provider!;
  const { project, progress, signal } = context;
  const program = findProvider(type, project.environment);
  const flags = Object.entries(options).flatMap(([key, values]) => values.map((value) => `--${key}=${value}`));
  const words = ['compose', `--project-name=${project.name}`, verb, ...flags, service.name];
  const variables: Record<string, string> = {};
  progress({ id: service.name, state: 'working', text: doing[verb][0] });
  const child = spawn(program, words, {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: project.workingDir,
    env: { ...project.environment },
    signal,
  });
  const ended = new Promise<number>((done, reject) => {
    child.on('error', reject);
    child.on('close', (code) => done(code ?? 1));
  });
  ended.catch(() => {});
  try {
    for await (const message of messagesOf(child.stdout)) takeMessage(context, service, message, variables);
    const code = await ended;
    if (code !== 0) throw new Fault('conflict', `failed to ${verb} service provider: exit status ${code}`);
  } catch (error) {
    child.kill();
    progress({ id: service.name, state: 'error', text: messageOf(error) });
    throw error;
  }
  progress({ id: service.name, state: 'done', text: doing[verb][1] });
  return variables;
}

/** Dependents see what a provider sets as `<SERVICE>_<NAME>`. */
export async function runProviders(context: Context): Promise<Project> {
  const { project } = context;
  const providers = Object.values(project.services).filter(({ provider }) => provider !== undefined);
  if (providers.length === 0) return project;
  const services = { ...project.services };
  for (const provider of providers) {
    const variables = await runProvider(context, provider, 'up');
    const prefix = `${provider.name.toUpperCase()}_`;
    for (const [name, service] of Object.entries(services)) {
      if (!(provider.name in (service.depends_on ?? {}))) continue;
      const given = Object.entries(variables).map(([key, value]) => [`${prefix}${key}`, value]);
      services[name] = { ...service, environment: { ...service.environment, ...Object.fromEntries(given) } };
    }
  }
  return { ...project, services };
}

interface Message {
  type: string;
  message: string;
}

async function* messagesOf(output: AsyncIterable<Uint8Array>): AsyncGenerator<Message> {
  let held = '';
  const decoder = new TextDecoder();
  const parse = (line: string): Message => {
    try {
      return JSON.parse(line) as Message;
    } catch (error) {
      throw new Fault('invalid', `invalid response from plugin: ${line}`, { cause: error });
    }
  };
  for await (const chunk of output) {
    const lines = (held + decoder.decode(chunk, { stream: true })).split('\n');
    held = lines.pop()!;
    for (const line of lines) if (line.trim() !== '') yield parse(line);
  }
  if (held.trim() !== '') yield parse(held);
}

function takeMessage(
  { progress }: Context,
  { name }: Service,
  { type, message }: Message,
  variables: Record<string, string>,
): void {
  if (type === 'error') throw new Fault('conflict', message);
  if (type === 'info') progress({ id: name, state: 'working', text: message });
  else if (type === 'setenv' || type === 'rawsetenv') {
    const equals = message.indexOf('=');
    if (equals < 0) throw new Fault('invalid', `invalid response from plugin: ${message}`);
    variables[message.slice(0, equals)] = message.slice(equals + 1);
  } else if (type !== 'debug') throw new Fault('invalid', `invalid response from plugin: ${type}`);
}

/** A plugin of the docker command line, or a program of that name. */
function findProvider(type: string, env: Readonly<Record<string, string>>): string {
  if (type === 'compose') throw new Fault('invalid', "'compose' is not a valid provider type");
  const config = env['DOCKER_CONFIG'] ?? join(env['HOME'] ?? '/root', '.docker');
  const folders = [
    join(config, 'cli-plugins'),
    '/usr/local/lib/docker/cli-plugins',
    '/usr/local/libexec/docker/cli-plugins',
    '/usr/lib/docker/cli-plugins',
    '/usr/libexec/docker/cli-plugins',
  ];
  const candidates = type.includes('/')
    ? [type]
    : [
        ...folders.map((folder) => join(folder, `docker-${type}`)),
        ...(env['PATH'] ?? '').split(':').map((folder) => join(folder, type)),
      ];
  const found = candidates.find(isExecutable);
  if (found === undefined)
    throw new Fault(
      'not-found',
      `provider ${type}: no program docker-${type} in ${folders[0]}, and no ${type} in PATH`,
    );
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
