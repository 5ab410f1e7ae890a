/**
 * Files to one model. Each document of each file in turn: variables, what it extends, what it includes, merged over what was there,
 * checked by the schema, made canonical (Compose specification; the order is docker compose's).
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Fault } from '../../std/index.ts';
import { cloneTree, emptyMap, isMap, mapOf, type Path, type Tree, type TreeMap } from '../tree.ts';
import { canonical, Misfit } from './canonical.ts';
import { checkModel } from './check-model.ts';
import { readEnvFiles, shownPath } from './files.ts';
import { interpolate } from './interpolate.ts';
import { CannotOverride, mergeModels, mergeService } from './merge.ts';
import { resolvePaths } from './paths.ts';
import { resolveEnvironment, setDefaults } from './settle.ts';
import { SourceFile } from './source-file.ts';
import { enforceUnique } from './unique.ts';
import { schemaProblems } from './validate.ts';

export interface ModelOptions {
  cwd: string;
  /** Leave variables as they are (`config --no-interpolate`). */
  keepVariables?: boolean;
  /** Leave paths relative (`config --no-path-resolution`). */
  keepPaths?: boolean;
  stdin: () => string;
  warn: (message: string) => void;
}

/** The project's files, read once. */
export class ModelLoader {
  readonly #options: ModelOptions;
  readonly #files = new Map<string, SourceFile>();
  readonly #unset = new Set<string>();

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  /** One after the other over each other. @throws Fault invalid with file, line and column */
  load(files: readonly string[], folder: string, environment: Readonly<Record<string, string>>): TreeMap {
    return this.#load({ files, folder, environment, including: [] });
  }

  /** Where a problem of the whole project is: the last file that says something there. */
  fault(path: Path, message: string): Fault {
    const file = [...this.#files.values()].toReversed().find((each) => each.has(path));
    return file?.fault(path, message) ?? new Fault('invalid', message);
  }

  /** `name:` of the files, the last one's; variables as they are. */
  declaredName(files: readonly string[]): string | undefined {
    const names = files.flatMap((file) =>
      this.#file(file)
        .documents()
        .map(({ value }) => (isMap(value) ? value['name'] : undefined)),
    );
    return names.findLast((name) => typeof name === 'string' && name !== '') as string | undefined;
  }

  #load(scope: Scope): TreeMap {
    let model = emptyMap();
    for (const path of scope.files) model = this.#merge(model, path, scope);
    const last = this.#file(scope.files.at(-1)!);
    setDefaults(model);
    this.#located(last, () => checkModel(model));
    if (this.#options.keepPaths !== true) resolvePaths(model, scope.folder);
    resolveEnvironment(model, lookupIn(scope.environment));
    return model;
  }

  #merge(before: TreeMap, path: string, scope: Scope): TreeMap {
    const file = this.#file(path);
    let model = before;
    for (const { value, resets } of file.documents()) {
      if (value === null) continue;
      if (!isMap(value)) throw file.fault([], 'top-level object must be a mapping');
      this.#interpolate(value, file, scope);
      this.#extendAll(value, file, scope, resets);
      for (const reset of resets) forget(model, reset);
      this.#include(value, file, scope);
      model = this.#located(file, () => mergeModels(model, value));
      this.#settle(model, file);
    }
    return model;
  }

  #settle(model: TreeMap, file: SourceFile): void {
    this.#located(file, () => enforceUnique(model));
    this.#validate(model, file);
    if ('version' in model) {
      this.#options.warn(
        `${file.name}: the attribute \`version\` is obsolete, it will be ignored, please remove it to avoid potential confusion`,
      );
      delete model['version'];
    }
    this.#located(file, () => canonical(model));
    // Ranges of ports were one word before.
    this.#located(file, () => enforceUnique(model));
  }

  /** @throws Fault invalid with all problems, each at its place */
  #validate(model: TreeMap, file: SourceFile): void {
    const problems = schemaProblems(model);
    if (problems.length === 0) return;
    const faults = problems.map(({ path, key, message }) => {
      const others = [...this.#files.values()].toReversed();
      const place = [file, ...others].find((each) => each.has(path)) ?? file;
      return place.fault(path, message, { key }).message;
    });
    throw new Fault('invalid', faults.join('\n'));
  }

  #interpolate(value: TreeMap, file: SourceFile, { environment }: Scope): void {
    if (this.#options.keepVariables === true) return;
    const onUnset = (name: string): void => {
      if (this.#unset.has(name)) return;
      this.#unset.add(name);
      this.#options.warn(`The ${JSON.stringify(name)} variable is not set. Defaulting to a blank string.`);
    };
    interpolate(value, file, { lookup: lookupIn(environment), onUnset }, this.#options.warn);
  }

  // `extends`

  #extendAll(value: TreeMap, file: SourceFile, scope: Scope, resets: readonly Path[]): void {
    const services = value['services'];
    if (!isMap(services)) return;
    const source = { services, file, folder: scope.folder, resets, chain: [] };
    for (const name of Object.keys(services)) services[name] = this.#extended(name, source, scope);
  }

  /** A service with what it extends; references in chains are followed. */
  #extended(name: string, source: ExtendSource, scope: Scope): Tree {
    const { services, file } = source;
    const service = services[name]!;
    if (!isMap(service) || service['extends'] === undefined) return service;
    const { extends: said, ...own } = service;
    const reference = isMap(said) ? said['service'] : said;
    const place: Path = ['services', name, 'extends'];
    if (typeof reference !== 'string') throw file.fault(place, `services.${name}.extends: service is required`);
    const step = `${file.path} ${name}`;
    if (source.chain.includes(step)) {
      const chain = [...source.chain, step].map((each) => each.slice(each.lastIndexOf(' ') + 1)).join(' -> ');
      throw file.fault(place, `circular reference: services extend each other: ${chain}`);
    }
    const from = isMap(said) ? said['file'] : undefined;
    const base =
      typeof from === 'string'
        ? this.#otherSource(from, { name, reference, place }, source, scope)
        : { ...source, chain: [...source.chain, step] };
    if (!(reference in base.services)) {
      const where = typeof from === 'string' ? ` in ${from}` : '';
      throw file.fault(
        place,
        `cannot extend service ${JSON.stringify(name)} in ${file.name}: service ${JSON.stringify(reference)} not found${where}`,
      );
    }
    const found = this.#extended(reference, { ...base, chain: [...source.chain, step] }, scope);
    if (!isMap(found)) return mapOf(Object.entries(own));
    const copy = cloneTree(found) as TreeMap;
    for (const reset of source.resets) forget(mapOf([['services', mapOf([[name, copy]])]]), reset);
    const merged = this.#located(file, () => mergeService(copy, mapOf(Object.entries(own)), name));
    services[name] = merged;
    return merged;
  }

  /** The services of another file, whose paths are relative to its own folder. */
  #otherSource(
    from: string,
    { name, reference, place }: { name: string; reference: string; place: Path },
    source: ExtendSource,
    scope: Scope,
  ): ExtendSource {
    const path = isAbsolute(from) ? from : join(source.folder, from);
    if (!existsSync(path))
      throw source.file.fault(
        place,
        `cannot extend service ${JSON.stringify(name)}: cannot read ${from}: no such file`,
      );
    const file = this.#file(path);
    const services = emptyMap();
    const resets: Path[] = [];
    for (const document of file.documents()) {
      if (!isMap(document.value)) continue;
      this.#interpolate(document.value, file, scope);
      const found = document.value['services'];
      if (isMap(found)) Object.assign(services, found);
      resets.push(...document.resets);
    }
    if (Object.keys(services).length === 0)
      throw source.file.fault(place, `cannot extend service ${JSON.stringify(name)} in ${from}: no services section`);
    // What it is merged with is canonical or not as the other file has it; its paths are that file's.
    const model = mapOf([['services', services]]);
    this.#located(file, () => canonical(model));
    const folder = dirname(path);
    if (reference in services) resolvePaths(model, folder);
    return { services, file, folder, resets, chain: source.chain };
  }

  // `include`

  #include(value: TreeMap, file: SourceFile, scope: Scope): void {
    const includes = value['include'];
    delete value['include'];
    if (includes === undefined || includes === null) return;
    if (!Array.isArray(includes)) throw file.fault(['include'], '`include` must be a list');
    for (const [index, each] of includes.entries()) {
      const place: Path = ['include', index];
      const imported = this.#included(isMap(each) ? each : mapOf([['path', each]]), file, place, scope);
      for (const kind of ['services', 'volumes', 'networks', 'secrets', 'configs', 'models'])
        importAll(imported[kind], value, kind, (name) =>
          file.fault(place, `${kind}.${name} conflicts with imported resource`),
        );
    }
  }

  #included(entry: TreeMap, file: SourceFile, place: Path, scope: Scope): TreeMap {
    const texts = (key: string): string[] =>
      [entry[key] ?? []].flat().filter((each): each is string => typeof each === 'string');
    const files = texts('path').map((path) => (isAbsolute(path) ? path : join(scope.folder, path)));
    if (files.length === 0) throw file.fault(place, '`include` needs a path');
    const missing = files.find((path) => !existsSync(path) || statSync(path).isDirectory());
    if (missing !== undefined) throw file.fault(place, `cannot include ${missing}: no such file`);
    const including = [...scope.including, file.path];
    if (including.includes(files[0]!))
      throw file.fault(
        place,
        `include cycle detected:\n${including[0]!}\n include ${[...including.slice(1), files[0]!].join('\n include ')}`,
      );
    const asked = entry['project_directory'];
    const folder =
      typeof asked !== 'string' ? dirname(files[0]!) : isAbsolute(asked) ? asked : join(scope.folder, asked);
    const named = texts('env_file').map((path) => (isAbsolute(path) ? path : join(scope.folder, path)));
    const usual = join(folder, '.env');
    const envFiles = named.length > 0 ? named : existsSync(usual) && !statSync(usual).isDirectory() ? [usual] : [];
    const environment = { ...readEnvFiles(envFiles, scope.environment), ...scope.environment };
    return this.#load({ files, folder, environment, including });
  }

  #file(path: string): SourceFile {
    let file = this.#files.get(path);
    if (file === undefined) {
      const text = path === '-' ? this.#options.stdin() : readText(path);
      file = new SourceFile(path, shownPath(path, this.#options.cwd), text);
      this.#files.set(path, file);
    }
    return file;
  }

  /** What does not fit is told with its place. */
  #located<T>(file: SourceFile, task: () => T): T {
    try {
      return task();
    } catch (error) {
      if (error instanceof Misfit || error instanceof CannotOverride) {
        const place = file.has(error.path) ? file : undefined;
        throw place?.fault(error.path, error.message) ?? this.fault(error.path, error.message);
      }
      throw error;
    }
  }
}

interface Scope {
  files: readonly string[];
  folder: string;
  environment: Readonly<Record<string, string>>;
  including: readonly string[];
}

interface ExtendSource {
  services: TreeMap;
  file: SourceFile;
  folder: string;
  resets: readonly Path[];
  chain: readonly string[];
}

function lookupIn(environment: Readonly<Record<string, string>>): (name: string) => string | undefined {
  return (name) => (Object.hasOwn(environment, name) ? environment[name] : undefined);
}

/** @throws Fault not-found */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new Fault('not-found', `open ${path}: no such file or directory`);
    if (code === 'EISDIR') throw new Fault('invalid', `read ${path}: is a directory`);
    throw error;
  }
}

/** What `!reset` and `!override` say of what was there before. */
function forget(model: Tree, path: Path): void {
  const [part, ...rest] = path;
  if (part === undefined) return;
  if (isMap(model) && typeof part === 'string') {
    if (rest.length === 0) delete model[part];
    else if (part in model) forget(model[part]!, rest);
  } else if (Array.isArray(model) && typeof part === 'number' && rest.length > 0 && part < model.length)
    forget(model[part]!, rest);
}

function importAll(from: Tree | undefined, model: TreeMap, kind: string, clash: (name: string) => Fault): void {
  if (!isMap(from)) return;
  const to = isMap(model[kind]) ? model[kind] : emptyMap();
  for (const [name, value] of Object.entries(from)) {
    const there = to[name];
    if (there !== undefined && !isDeepStrictEqual(plain(there), plain(value))) throw clash(name);
    to[name] = value;
  }
  model[kind] = to;
}

/** Without the order of keys. */
function plain(value: Tree): unknown {
  if (Array.isArray(value)) return value.map(plain);
  return isMap(value) ? new Map(Object.entries(value).map(([key, each]) => [key, plain(each)])) : value;
}
