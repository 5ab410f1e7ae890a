/** Docker's `config.json`: credentials, formats, the current context. Keys that we do not know are kept when it is written. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, Fault, messageOf } from '../std/index.ts';

export interface AuthEntry {
  auth?: string;
  username?: string;
  password?: string;
  identitytoken?: string;
  registrytoken?: string;
}

export interface ConfigData {
  auths?: Record<string, AuthEntry>;
  credsStore?: string;
  credHelpers?: Record<string, string>;
  currentContext?: string;
  detachKeys?: string;
  HttpHeaders?: Record<string, string>;
  psFormat?: string;
  imagesFormat?: string;
  networksFormat?: string;
  volumesFormat?: string;
  statsFormat?: string;
  proxies?: Record<string, Record<string, string>>;
  [key: string]: unknown;
}

export interface ConfigFile {
  readonly folder: string;
  readonly data: ConfigData;
  save(): void;
}

/** A missing file is an empty one. @throws Fault invalid when it is not JSON. */
export function readConfigFile(folder: string): ConfigFile {
  const path = join(folder, 'config.json');
  let data: ConfigData = {};
  try {
    const text = readFileSync(path, 'utf8');
    data = text.trim() === '' ? {} : (JSON.parse(text) as ConfigData);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR' && errorCode(error) !== 'EACCES') {
      throw new Fault('invalid', `Cannot read ${path}: ${messageOf(error)}`, { cause: error });
    }
  }
  return { folder, data, save: () => saveConfig(folder, path, data) };
}

function saveConfig(folder: string, path: string, data: ConfigData): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  const descriptor = openSync(temporary, 'w', 0o600);
  try {
    writeSync(descriptor, JSON.stringify(data, undefined, '\t'));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, path);
}
