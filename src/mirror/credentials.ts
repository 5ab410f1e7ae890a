/** The operator's credentials for upstreams: a file in the form of docker's config.json, which only root may read. */
import { open, stat } from 'node:fs/promises';
import { parseObject } from '../oci/index.ts';
import type { Credentials } from '../registry/index.ts';
import { Fault, messageOf } from '../std/index.ts';
import { registryName } from './registry-name.ts';

const fileLimit = 1 << 20;

export class UpstreamCredentials {
  readonly #path: string | undefined;
  #read: { version: string; byDomain: Map<string, Credentials> } | undefined;

  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** Those for a registry; the file is read again when it has changed. @throws Fault when it cannot be used */
  async for(domain: string): Promise<Credentials | undefined> {
    if (this.#path === undefined) return undefined;
    const { mtimeMs, size, ino } = await stat(this.#path).catch((error: unknown) => {
      throw unusable(this.#path!, messageOf(error), error);
    });
    const version = `${ino} ${size} ${mtimeMs}`;
    if (this.#read?.version !== version) this.#read = { version, byDomain: await readAuths(this.#path) };
    return this.#read.byDomain.get(domain);
  }
}

async function readAuths(path: string): Promise<Map<string, Credentials>> {
  await using file = await open(path, 'r').catch((error: unknown) => {
    throw unusable(path, messageOf(error), error);
  });
  const { mode, uid, size } = await file.stat();
  if ((mode & 0o077) !== 0 || uid !== (process.geteuid?.() ?? 0)) {
    throw unusable(path, 'others than root may read or change it. Try: chmod 600, chown root');
  }
  if (size > fileLimit) throw unusable(path, `it has more than ${fileLimit} bytes`);
  const { auths } = parseObject(await file.readFile(), `the credentials in ${path}`);
  if (typeof auths !== 'object' || auths === null) throw unusable(path, 'it has no "auths"');
  return new Map(
    Object.entries(auths).flatMap(([server, entry]): [string, Credentials][] => {
      const credentials = credentialsOf(entry);
      return credentials === undefined ? [] : [[domainOf(server), credentials]];
    }),
  );
}

function credentialsOf(entry: unknown): Credentials | undefined {
  const fields = (typeof entry === 'object' && entry !== null ? entry : {}) as Record<string, unknown>;
  const known = ['auth', 'username', 'password', 'identitytoken', 'registrytoken'].flatMap((name) => {
    const value = fields[name];
    return typeof value === 'string' && value !== '' ? [[name, value]] : [];
  });
  return known.length === 0 ? undefined : (Object.fromEntries(known) as Credentials);
}

/** `https://index.docker.io/v1/` is docker's name for the default registry. */
function domainOf(server: string): string {
  const host = server.replace(/^https?:\/\//, '').split('/')[0]!;
  try {
    return registryName(host);
  } catch {
    return host;
  }
}

/** Never with what is in it. */
function unusable(path: string, detail: string, cause?: unknown): Fault {
  return new Fault('internal', `Cannot use the credentials in ${path}: ${detail}`, { cause });
}
