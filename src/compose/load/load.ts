/** Files to a project (Compose specification): found, read, merged, checked, settled. Nothing is asked of an engine. */
import { existsSync, readFileSync } from 'node:fs';
import { Fault } from '../../std/index.ts';
import type { Project, Service } from '../project.ts';
import { Unfit } from '../shape/kinds.ts';
import type { TreeMap } from '../tree.ts';
import { bindModel } from './bind.ts';
import { checkConsistency, Inconsistent } from './consistency.ts';
import { parseDotenv } from './dotenv.ts';
import {
  checkProjectName,
  findFiles,
  nameOfFolder,
  normalizeProjectName,
  type ProjectFiles,
  type ProjectRequest,
  type Surroundings,
} from './files.ts';
import { ModelLoader } from './model.ts';
import { normalise } from './settle.ts';
import { substitute } from './template.ts';
import { enableServices, hasProfile } from '../select.ts';

export interface LoadOptions {
  /** Leave variables, paths, defaults, env files, or contradictions as they are (`config --no-…`). */
  keepVariables?: boolean;
  keepPaths?: boolean;
  plain?: boolean;
  keepEnvFiles?: boolean;
  unchecked?: boolean;
  /** Services that are on whatever their profiles: a person named them. */
  enabled?: readonly string[];
}

/** @throws Fault not-found when there is no compose file; invalid with file, line, column and excerpt */
export function loadProject(request: ProjectRequest, surroundings: Surroundings, options: LoadOptions = {}): Project {
  const found = findFiles(request, surroundings);
  if (found.files.length === 0) throw new Fault('not-found', 'no configuration file provided: not found');
  const { loader, model, name } = readModel(found, surroundings, options);
  try {
    return settle({ model, name, found, loader }, options);
  } catch (error) {
    if (error instanceof Unfit || error instanceof Inconsistent) throw loader.fault(error.path, error.message);
    throw error;
  }
}

/** The merged model before it is typed: what `config --no-interpolate` prints. @throws Fault as `loadProject` */
export function loadModel(
  request: ProjectRequest,
  surroundings: Surroundings,
  options: LoadOptions = {},
): { name: string; model: TreeMap } {
  const found = findFiles(request, surroundings);
  if (found.files.length === 0) throw new Fault('not-found', 'no configuration file provided: not found');
  const { model, name } = readModel(found, surroundings, options);
  return { name, model };
}

function readModel(
  found: ProjectFiles,
  { cwd, stdin, warn }: Surroundings,
  options: LoadOptions,
): { loader: ModelLoader; model: TreeMap; name: string } {
  const loader = new ModelLoader({ ...options, cwd, stdin, warn });
  const name = projectName(found, loader, warn);
  found.environment['COMPOSE_PROJECT_NAME'] = name;
  const model = loader.load(found.files, found.workingDir, found.environment);
  delete model['name'];
  if (Object.keys(model).length === 0) throw new Fault('invalid', 'empty compose file');
  if (options.plain !== true) normalise(model, name, lookupIn(found.environment));
  return { loader, model, name };
}

function projectName(found: ProjectFiles, loader: ModelLoader, warn: (message: string) => void): string {
  if (found.name !== undefined) {
    checkProjectName(found.name);
    return found.name;
  }
  const declared = loader.declaredName(found.files);
  const name =
    declared === undefined
      ? nameOfFolder(found.workingDir, warn)
      : normalizeProjectName(substitute(declared, { lookup: lookupIn(found.environment) }));
  if (name === '') throw new Fault('invalid', 'project name must not be empty');
  return name;
}

interface Loaded {
  model: TreeMap;
  name: string;
  found: ProjectFiles;
  loader: ModelLoader;
}

function settle({ model, name, found }: Loaded, options: LoadOptions): Project {
  const parts = bindModel(model);
  const active = ([, service]: [string, Service]): boolean => hasProfile(service, found.profiles);
  const all = Object.entries(parts.services);
  const loaded: Project = {
    ...parts,
    name,
    workingDir: found.workingDir,
    composeFiles: found.files.filter((file) => file !== '-'),
    envFiles: found.envFiles,
    askedEnvFiles: found.askedEnvFiles,
    ...(isYes(found.environment['COMPOSE_COMPATIBILITY']) ? { compatibility: true } : {}),
    environment: found.environment,
    profiles: found.profiles,
    services: Object.fromEntries(all.filter(active)),
    disabledServices: Object.fromEntries(all.filter((entry) => !active(entry))),
  };
  if (options.unchecked !== true) checkConsistency(loaded);
  const project = enableServices(loaded, options.enabled ?? []);
  const services = [...Object.values(project.services), ...Object.values(project.disabledServices)];
  if (options.keepEnvFiles !== true)
    for (const service of Object.values(project.services)) readServiceEnvironment(service, project);
  for (const service of services) readServiceLabels(service);
  return project;
}

/** As Go's strconv.ParseBool. */
function isYes(text: string | undefined): boolean {
  return /^(?:1|t|true)$/i.test(text ?? '');
}

/** The service's own variables over those of its files, the last file's first. */
function readServiceEnvironment(service: Service, project: Project): void {
  const own: Record<string, string | null> = {};
  const lookup = lookupIn(project.environment);
  for (const [key, value] of Object.entries(service.environment ?? {})) own[key] = value ?? lookup(key) ?? null;
  const values: Record<string, string> = {};
  for (const [key, value] of Object.entries(own)) if (value !== null) values[key] = value;
  for (const { path, required, format } of service.env_file ?? []) {
    if (!existsSync(path)) {
      if (!required) continue;
      throw new Fault('not-found', `env file ${path} not found: stat ${path}: no such file or directory`);
    }
    const text = readFileSync(path, 'utf8');
    if (format === 'raw') readRaw(text, values);
    else if (format !== undefined) throw new Fault('invalid', `unsupported env_file format ${JSON.stringify(format)}`);
    else parseDotenv(path, text, values, (name) => lookup(name) ?? own[name] ?? undefined);
  }
  const environment = { ...values, ...own };
  if (Object.keys(environment).length > 0) service.environment = environment;
  delete service.env_file;
}

/** Docker's `--env-file`: nothing is quoted, nothing replaced. */
function readRaw(text: string, into: Record<string, string>): void {
  for (const line of text.split('\n')) {
    const trimmed = line.replace(/^\s+/, '').replace(/\r$/, '');
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const equals = trimmed.indexOf('=');
    if (equals > 0) into[trimmed.slice(0, equals)] = trimmed.slice(equals + 1);
  }
}

function readServiceLabels(service: Service): void {
  const labels: Record<string, string> = {};
  for (const path of service.label_file ?? []) {
    if (!existsSync(path))
      throw new Fault('not-found', `label file ${path} not found: stat ${path}: no such file or directory`);
    parseDotenv(path, readFileSync(path, 'utf8'), labels, (name) =>
      Object.hasOwn(labels, name) ? labels[name] : undefined,
    );
  }
  const all = { ...labels, ...service.labels };
  if (Object.keys(all).length > 0) service.labels = all;
  delete service.label_file;
}

function lookupIn(environment: Readonly<Record<string, string>>): (name: string) => string | undefined {
  return (name) => (Object.hasOwn(environment, name) ? environment[name] : undefined);
}
