/** Which files are a project, and where it is: flags, the environment, or the nearest folder that has one. */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { Fault } from '../../std/index.ts';
import { parseDotenv } from './dotenv.ts';

/** What a person gave, by flags; the environment fills in what is not given. */
export interface ProjectRequest {
  /** `-f`, as given; `-` is standard input. */
  files?: readonly string[];
  /** `-p`. */
  name?: string | undefined;
  /** `--project-directory`. */
  directory?: string | undefined;
  /** `--env-file`. */
  envFiles?: readonly string[];
  /** `--profile`. */
  profiles?: readonly string[];
}

export interface Surroundings {
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** All of standard input. */
  stdin: () => string;
  warn: (message: string) => void;
}

export interface ProjectFiles {
  /** Absolute, and `-`. */
  files: string[];
  /** Absolute. */
  workingDir: string;
  /** The shell's variables over those of env files. */
  environment: Record<string, string>;
  /** Absolute. */
  envFiles: string[];
  /** Absolute: those that a person named. */
  askedEnvFiles: string[];
  profiles: string[];
  /** Of a flag or the environment, which no file overrules. */
  name: string | undefined;
}

const names = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
const overrides = [
  'compose.override.yml',
  'compose.override.yaml',
  'docker-compose.override.yml',
  'docker-compose.override.yaml',
];

/** No files where there are none: a project can be asked for by its name alone. @throws Fault invalid, not-found */
export function findFiles(request: ProjectRequest, surroundings: Surroundings): ProjectFiles {
  const { cwd, warn } = surroundings;
  const shell = definedOnly(surroundings.env);
  let given = (request.files ?? []).map((file) => (file === '-' ? file : resolve(cwd, file)));
  const directory = request.directory === undefined ? undefined : resolve(cwd, request.directory);
  const place = (): string => directory ?? folderOf(given) ?? cwd;
  // COMPOSE_FILE can be in the .env of the folder one is in, and the files it names can be elsewhere.
  const first = readEnvironment(request, shell, place(), cwd);
  if (given.length === 0) {
    const { COMPOSE_FILE: named, COMPOSE_PATH_SEPARATOR: separator } = first.environment;
    if (named !== undefined && named !== '')
      given = named.split(separator || ':').map((file) => (file === '-' ? file : resolve(cwd, file)));
    else given = discover(directory ?? cwd, warn);
  }
  const workingDir = place();
  const { environment, envFiles } = readEnvironment(request, shell, workingDir, cwd);
  const askedEnvFiles = namedEnvFiles(request, shell).map((file) => resolve(cwd, file));
  const profiles = request.profiles?.length
    ? [...request.profiles]
    : (environment['COMPOSE_PROFILES'] ?? '').split(',').map((each) => each.trim());
  const name = request.name || environment['COMPOSE_PROJECT_NAME'] || undefined;
  return {
    files: given,
    workingDir,
    environment,
    envFiles,
    askedEnvFiles,
    profiles: profiles.filter((each) => each !== ''),
    name,
  };
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

function folderOf(files: readonly string[]): string | undefined {
  const first = files.find((file) => file !== '-');
  return first === undefined ? undefined : dirname(first);
}

/** In the folder, or the nearest above it, that has one; with its override. */
function discover(folder: string, warn: (message: string) => void): string[] {
  for (let at = folder; ; at = dirname(at)) {
    const found = present(at, names);
    if (found.length > 0) {
      const over = present(at, overrides);
      if (found.length > 1) {
        warn(`Found multiple config files with supported names: ${found.join(', ')}`);
        warn(`Using ${found[0]!}`);
      }
      if (over.length > 1) {
        warn(`Found multiple override files with supported names: ${over.join(', ')}`);
        warn(`Using ${over[0]!}`);
      }
      return [found[0]!, ...over.slice(0, 1)];
    }
    if (at === dirname(at)) return [];
  }
}

function present(folder: string, candidates: readonly string[]): string[] {
  return candidates.map((name) => join(folder, name)).filter((path) => existsSync(path));
}

function readEnvironment(
  request: ProjectRequest,
  shell: Readonly<Record<string, string>>,
  workingDir: string,
  cwd: string,
): { environment: Record<string, string>; envFiles: string[] } {
  const envFiles = envFilesOf(request, shell, workingDir, cwd);
  return { environment: { ...readEnvFiles(envFiles, shell), ...shell }, envFiles };
}

function namedEnvFiles({ envFiles: asked = [] }: ProjectRequest, shell: Readonly<Record<string, string>>): string[] {
  return asked.length > 0 ? [...asked] : (shell['COMPOSE_ENV_FILES'] ?? '').split(',').filter((each) => each !== '');
}

function envFilesOf(
  request: ProjectRequest,
  shell: Readonly<Record<string, string>>,
  workingDir: string,
  cwd: string,
): string[] {
  const named = namedEnvFiles(request, shell);
  if (named.length > 0) return named.map((file) => resolve(cwd, file));
  if (/^(?:1|t|true)$/i.test(shell['COMPOSE_DISABLE_ENV_FILE'] ?? '')) return [];
  const usual = join(workingDir, '.env');
  return existsSync(usual) && !statSync(usual).isDirectory() ? [usual] : [];
}

/** What the files set; the environment's own variables stand in their values. @throws Fault not-found, invalid */
export function readEnvFiles(
  files: readonly string[],
  environment: Readonly<Record<string, string>>,
): Record<string, string> {
  const values: Record<string, string> = {};
  for (const file of files) {
    if (!existsSync(file)) throw new Fault('not-found', `couldn't find env file: ${file}`);
    if (statSync(file).isDirectory()) throw new Fault('invalid', `${file} is a directory`);
    parseDotenv(file, readFileSync(file, 'utf8'), values, (name) =>
      Object.hasOwn(environment, name) ? environment[name] : undefined,
    );
  }
  return values;
}

/** Lower case letters, digits, `-` and `_`, beginning with one of the first two. */
export function normalizeProjectName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '');
}

/** @throws Fault invalid */
export function checkProjectName(name: string): void {
  if (normalizeProjectName(name) === name && name !== '') return;
  throw new Fault(
    'invalid',
    `invalid project name ${JSON.stringify(name)}: must consist only of lowercase alphanumeric characters, hyphens, and underscores as well as start with a letter or number`,
  );
}

/** What a project is called that nobody named. */
export function nameOfFolder(folder: string, warn: (message: string) => void): string {
  const own = basename(folder);
  try {
    if (basename(realpathSync(folder)) !== own)
      warn(
        `project has been loaded without an explicit name from a symlink. Using name ${JSON.stringify(normalizeProjectName(own))}`,
      );
  } catch {
    // It need not be there.
  }
  return normalizeProjectName(own);
}

/** How people are told of a file: relative where it is below where they are. */
export function shownPath(path: string, cwd: string): string {
  if (path === '-') return '<stdin>';
  const below = cwd.endsWith('/') ? cwd : `${cwd}/`;
  return isAbsolute(path) && path.startsWith(below) ? path.slice(below.length) : path;
}
