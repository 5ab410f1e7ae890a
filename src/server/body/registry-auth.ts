/** Registry credentials: the X-Registry-Auth and X-Registry-Config headers (base64 JSON, either alphabet), and login's body. */
import type { RegistryAuth } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import { map, object, text } from './shape.ts';

const authShape = object<RegistryAuth>({
  username: text,
  password: text,
  auth: text,
  email: text,
  serveraddress: text,
  identitytoken: text,
  registrytoken: text,
});

/** Credentials of X-Registry-Auth; undefined when there are none in it. @throws Fault invalid */
export function parseRegistryAuth(header: string | undefined): RegistryAuth | undefined {
  const value = decoded(header, 'X-Registry-Auth');
  if (value === undefined) return undefined;
  const auth = authShape(value, 'X-Registry-Auth');
  return Object.keys(auth).length === 0 ? undefined : auth;
}

/** Credentials by registry, as X-Registry-Config carries them. @throws Fault invalid */
export function parseRegistryConfig(header: string | undefined): Record<string, RegistryAuth> {
  const value = decoded(header, 'X-Registry-Config');
  return value === undefined ? {} : map(authShape)(value, 'X-Registry-Config');
}

export function parseAuthBody(value: unknown): RegistryAuth {
  return authShape(value, '');
}

function decoded(header: string | undefined, name: string): unknown {
  if (header === undefined || header === '') return undefined;
  // Node's base64 decoder takes both alphabets, padded or not.
  const json = Buffer.from(header, 'base64').toString('utf8');
  if (json.trim() === '' || json === 'null') return undefined;
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new Fault('invalid', `invalid ${name} header: want base64 of a JSON object`, { cause: error });
  }
}
