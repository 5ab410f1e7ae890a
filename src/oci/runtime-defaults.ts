/** The `config` of an image config: what containers of the image get. It comes from strangers, so every field has its shape. */
import { Fault } from '../std/index.ts';

type Shape = 'string' | 'boolean' | 'number' | 'strings' | 'words' | 'labels' | 'set' | 'object';

/** `words` may be one string, as Go's StrSlice reads it. */
const shapes: Readonly<Record<string, Shape>> = {
  Hostname: 'string',
  Domainname: 'string',
  User: 'string',
  WorkingDir: 'string',
  StopSignal: 'string',
  Image: 'string',
  MacAddress: 'string',
  AttachStdin: 'boolean',
  AttachStdout: 'boolean',
  AttachStderr: 'boolean',
  Tty: 'boolean',
  OpenStdin: 'boolean',
  StdinOnce: 'boolean',
  ArgsEscaped: 'boolean',
  NetworkDisabled: 'boolean',
  StopTimeout: 'number',
  Env: 'strings',
  OnBuild: 'strings',
  Cmd: 'words',
  Entrypoint: 'words',
  Shell: 'words',
  Labels: 'labels',
  ExposedPorts: 'set',
  Volumes: 'set',
  Healthcheck: 'object',
};
const healthShapes: Readonly<Record<string, Shape>> = {
  Test: 'words',
  Interval: 'number',
  Timeout: 'number',
  StartPeriod: 'number',
  StartInterval: 'number',
  Retries: 'number',
};

const meanings: Readonly<Record<Shape, string>> = {
  string: 'a string',
  boolean: 'true or false',
  number: 'a number',
  strings: 'a list of strings',
  words: 'a list of strings',
  labels: 'a map of strings',
  set: 'a map of objects',
  object: 'an object',
};

/** Fields that nobody knows stay as they are. @throws Fault invalid naming the field */
export function checkRuntimeDefaults(value: unknown): Record<string, unknown> {
  const config = checked(value, 'config', shapes);
  if (isObject(config['Healthcheck']))
    config['Healthcheck'] = checked(config['Healthcheck'], 'config.Healthcheck', healthShapes);
  return config;
}

function checked(value: unknown, where: string, fields: Readonly<Record<string, Shape>>): Record<string, unknown> {
  if (!isObject(value)) throw wrong(where, 'object');
  const result: Record<string, unknown> = { ...value };
  for (const [name, shape] of Object.entries(fields)) {
    const field = result[name];
    if (field === undefined || field === null) continue;
    if (shape === 'words' && typeof field === 'string') result[name] = [field];
    else if (!fits(field, shape)) throw wrong(`${where}.${name}`, shape);
  }
  return result;
}

function fits(value: unknown, shape: Shape): boolean {
  const every = (test: (each: unknown) => boolean): boolean => isObject(value) && Object.values(value).every(test);
  switch (shape) {
    case 'strings':
    case 'words':
      return Array.isArray(value) && value.every((each) => typeof each === 'string');
    case 'labels':
      return every((each) => typeof each === 'string');
    case 'set':
      return every((each) => each === null || isObject(each));
    case 'object':
      return isObject(value);
    default:
      return typeof value === shape;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrong(where: string, shape: Shape): Fault {
  return new Fault('invalid', `Cannot read image config: "${where}" is not ${meanings[shape]}`);
}
