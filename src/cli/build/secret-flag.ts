/** `--secret id=ID[,src=FILE|,env=NAME][,type=file|env]` (docker/buildx, util/buildflags/secrets.go). */
import { statSync } from 'node:fs';
import type { SecretSource } from '../../buildkit/index.ts';
import { Fault } from '../../std/index.ts';
import { flagFields } from './fields.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws Fault invalid, not-found for a file that is not there */
export function parseSecrets(values: readonly string[], env: Environment): Map<string, SecretSource> {
  return new Map(values.map((value) => parseSecret(value, env)));
}

function parseSecret(text: string, env: Environment): [string, SecretSource] {
  const given = { type: '', id: '', src: '', env: '' };
  for (const { text: field, key, value } of flagFields(text)) {
    if (value === undefined) throw new Fault('invalid', `invalid field '${field}' must be a key=value pair`);
    const name = key === 'source' ? 'src' : key;
    if (!Object.hasOwn(given, name)) throw new Fault('invalid', `unexpected key '${key}' in '${field}'`);
    if (name === 'type' && value !== 'file' && value !== 'env') {
      throw new Fault('invalid', `unsupported secret type ${JSON.stringify(value)}`);
    }
    given[name as keyof typeof given] = value;
  }
  const { id, type } = given;
  if (id === '')
    throw new Fault('invalid', `secret missing ID: write --secret id=NAME${text === '' ? '' : `,${text}`}`);
  const variable = type === 'env' && given.env === '' ? given.src : given.env;
  if (variable !== '') return [id, { value: env[variable] }];
  if (given.src !== '') return [id, { file: existing(given.src) }];
  // Without either, the id names the variable if there is one, else the file.
  if (type !== 'file' && env[id] !== undefined) return [id, { value: env[id] }];
  return [id, { file: existing(id) }];
}

function existing(file: string): string {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) {
    throw new Fault('not-found', `failed to stat ${file}: stat ${file}: no such file or directory`);
  }
  return file;
}
