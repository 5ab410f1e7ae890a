/** The user's registry credentials: in config.json, in a store for all, or in a helper per registry. */
import type { RegistryAuth } from '../api/index.ts';
import type { AuthEntry, ConfigData, ConfigFile } from './config-file.ts';

/** Whoever knows the user's configuration. */
export interface Configured {
  config(): ConfigFile;
}

/** Docker Hub's name in config.json. */
export const hubKey = 'https://index.docker.io/v1/';

/** The key of a registry in config.json. */
export function credentialKey(registry: string): string {
  return registry === 'docker.io' || registry === 'index.docker.io' || registry === '' ? hubKey : registry;
}

/** What X-Registry-Auth carries: base64url JSON; `{}` without credentials. */
export async function authHeaderFor(user: Configured, registry: string): Promise<string> {
  return encodeAuth(await credentialsFor(user, registry));
}

export function encodeAuth(auth: RegistryAuth): string {
  return Buffer.from(JSON.stringify(auth)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

export async function credentialsFor(user: Configured, registry: string): Promise<RegistryAuth> {
  const { data } = user.config();
  const key = credentialKey(registry);
  const helper = helperFor(data, registry, key);
  if (helper !== undefined) return fromHelper(helper, key);
  const entry = findEntry(data, key);
  if (entry === undefined) return {};
  const decoded =
    entry.auth === undefined || entry.auth === '' ? undefined : Buffer.from(entry.auth, 'base64').toString('utf8');
  const colon = decoded?.indexOf(':') ?? -1;
  return {
    ...(decoded === undefined || colon < 0
      ? plainOf(entry)
      : { username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, '') }),
    ...(entry.identitytoken === undefined || entry.identitytoken === '' ? {} : { identitytoken: entry.identitytoken }),
    ...(entry.registrytoken === undefined ? {} : { registrytoken: entry.registrytoken }),
    serveraddress: key,
  };
}

/** A file written by hand may hold them in the open. */
function plainOf({ username, password }: AuthEntry): RegistryAuth {
  return username === undefined || password === undefined ? {} : { username, password };
}

function findEntry(data: ConfigData, key: string) {
  const auths = data.auths ?? {};
  if (auths[key] !== undefined) return auths[key];
  const bare = (text: string): string => text.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return Object.entries(auths).find(([name]) => bare(name) === bare(key))?.[1];
}

/** The name of the program that keeps the credentials, if one does. */
export function helperFor(data: ConfigData, registry: string, key: string): string | undefined {
  const own = data.credHelpers?.[registry] ?? data.credHelpers?.[key];
  if (own !== undefined && own !== '') return own;
  return data.credsStore === undefined || data.credsStore === '' ? undefined : data.credsStore;
}

async function fromHelper(helper: string, key: string): Promise<RegistryAuth> {
  const { askHelper } = await import('./helper-program.ts');
  const answer = await askHelper(helper, 'get', key);
  if (answer === undefined) return {};
  const { Username = '', Secret = '' } = JSON.parse(answer) as { Username?: string; Secret?: string };
  return Username === '<token>'
    ? { identitytoken: Secret, serveraddress: key }
    : { username: Username, password: Secret, serveraddress: key };
}
