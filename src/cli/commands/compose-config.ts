/** `wherry compose config`: the project as it is once everything is resolved. */
import { writeFileSync } from 'node:fs';
import {
  configText,
  imageNameOf,
  loadModel,
  sortedTree,
  type Project,
  reach,
  serviceHash,
  type Service,
  treeText,
} from '../../compose/index.ts';
import { atLeast, type Command } from '../command.ts';
import { withPlatform } from '../compose/flags.ts';
import { Compose } from '../compose/open.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
      --environment             Print environment used for interpolation.
      --format string           Format the output. Values: [yaml | json]
      --hash string             Print the service config hash, one per line.
      --images                  Print the image names, one per line.
      --lock-image-digests      Produces an override file with image digests
      --models                  Print the model names, one per line.
      --networks                Print the network names, one per line.
      --no-consistency          Don't check model consistency - warning: may produce invalid Compose output
      --no-env-resolution       Don't resolve service env files
      --no-interpolate          Don't interpolate environment variables
      --no-normalize            Don't normalize compose model
      --no-path-resolution      Don't resolve file paths
  -o, --output string           Save to file instead of printing
      --profiles                Print the profile names, one per line.
  -q, --quiet                   Only validate the configuration, don't print anything
      --resolve-image-digests   Pin image tags to digests
      --services                Print the service names, one per line.
      --variables               Print model variables and default values.
      --volumes                 Print the volume names, one per line.
`,
  hidden: `
      --dry-run
`,
  completesFlags: { format: ['yaml', 'json'], output: 'file' },
  examples: `
# The whole project, with defaults, variables and paths filled in
wherry compose config
# Is the file right? Says nothing if it is
wherry compose config -q
# What it consists of
wherry compose config --services`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const list = listOf(compose, args);
    if (list !== undefined) {
      if (!flags.bool('quiet')) session.out.write(list.map((line) => `${line}\n`).join(''));
      return;
    }
    const text = await textOf(compose, args);
    if (flags.bool('quiet')) return;
    const file = flags.string('output');
    if (file === '') session.out.write(text);
    else writeFileSync(file, text);
  },
};

/** One of the lists, if one was asked for. */
function listOf(compose: Compose, args: readonly string[]): string[] | undefined {
  const { flags } = compose;
  const load = (services: readonly string[] = []): Project =>
    compose.project(services, { keepEnvFiles: true, ...options(compose) });
  const on = (name: string): boolean => flags.bool(name);
  if (on('services') && on('no-interpolate')) return Object.keys(model(compose)['services'] ?? {}).toSorted();
  if (on('services')) return [...reach(load(), Object.keys(load().services).toSorted(), true)];
  if (on('volumes')) return Object.keys(load().volumes).toSorted();
  if (on('networks')) return Object.keys(load().networks).toSorted();
  if (on('models')) return Object.values(load().models).map((each) => each.model);
  if (flags.string('hash') !== '') return hashes(compose, load());
  if (on('profiles')) {
    const project = load(args);
    const all = [...Object.values(project.services), ...Object.values(project.disabledServices)];
    return [...new Set(all.flatMap(({ profiles = [] }) => profiles))].toSorted();
  }
  if (on('images')) {
    const project = load(args);
    return Object.values(project.services).map((service) => imageNameOf(project, service));
  }
  if (on('variables')) return variables(compose);
  if (on('environment'))
    return Object.entries(load().environment)
      .map(([key, value]) => `${key}=${value}`)
      .toSorted();
  return undefined;
}

function options(compose: Compose) {
  const on = (name: string): boolean => compose.flags.bool(name);
  return {
    keepVariables: on('no-interpolate'),
    keepPaths: on('no-path-resolution'),
    plain: on('no-normalize'),
    unchecked: on('no-consistency'),
  };
}

function hashes(compose: Compose, project: Project): string[] {
  const asked = compose.flags.string('hash');
  const names = asked === '*' ? Object.keys(project.services) : asked.split(',');
  const resolved = compose.project([], options(compose));
  return names.toSorted().map((name) => {
    const service: Service | undefined = resolved.services[name];
    if (service === undefined) throw new Exit(1, `no such service: ${name}: not found`);
    return `${name} ${serviceHash(withPlatform(resolved, service))}`;
  });
}

function model(compose: Compose): Record<string, object> {
  const found = loadModel(compose.request(), compose.surroundings(), { ...options(compose), keepVariables: true });
  return found.model as Record<string, object>;
}

async function textOf(compose: Compose, args: readonly string[]): Promise<string> {
  const { flags } = compose;
  const format = flags.string('format') || 'yaml';
  if (format !== 'yaml' && format !== 'json') throw new Exit(1, `unsupported format ${JSON.stringify(format)}`);
  if (flags.bool('no-interpolate')) {
    const found = loadModel(compose.request(), compose.surroundings(), { ...options(compose), keepVariables: true });
    return treeText(sortedTree({ ...found.model, name: found.name }), format);
  }
  const project = compose.project(args, { ...options(compose), keepEnvFiles: flags.bool('no-env-resolution') });
  if (!flags.bool('resolve-image-digests') && !flags.bool('lock-image-digests')) return configText(project, format);
  const { withDigests } = await import('../compose/digests.ts');
  const pinned = await withDigests(compose, project);
  if (!flags.bool('lock-image-digests')) return configText(pinned, format);
  const services = Object.fromEntries(
    Object.entries(pinned.services).map(([name, { image }]) => [name, { image: image ?? null }]),
  );
  return treeText({ services }, format);
}

/** Name, whether it is required, its default and its alternative: of every variable the files name. */
function variables(compose: Compose): string[] {
  const found = new Map<string, { required: boolean; value: string; alternative: string }>();
  const look = (value: unknown): void => {
    if (typeof value === 'string')
      for (const each of variablesIn(value)) if (!found.has(each.name)) found.set(each.name, each);
    if (typeof value === 'object' && value !== null) Object.values(value).forEach(look);
  };
  look(model(compose));
  const rows = [...found].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const cells = [
    ['NAME', 'REQUIRED', 'DEFAULT VALUE', 'ALTERNATE VALUE'],
    ...rows.map(([name, { required, value, alternative }]) => [name, String(required), value, alternative]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]!.length)) + 3);
  return cells.map((row) =>
    row.map((cell, column) => (column === 3 ? cell : cell.padEnd(Math.max(20, widths[column]!)))).join(''),
  );
}

function* variablesIn(
  text: string,
): Generator<{ name: string; required: boolean; value: string; alternative: string }> {
  const pattern = /\$(?:\$|([_a-zA-Z]\w*)|\{([_a-zA-Z]\w*)(?:(:?[-?+])([^}]*))?\})/g;
  for (const [, plain, braced, operator = '', rest = ''] of text.matchAll(pattern)) {
    const name = plain ?? braced;
    if (name === undefined) continue;
    const kind = operator.at(-1);
    yield { name, required: kind === '?', value: kind === '-' ? rest : '', alternative: kind === '+' ? rest : '' };
  }
}
