/** Contexts as the command line makes and shows them. */
import { readFileSync } from 'node:fs';
import { Fault, messageOf } from '../../std/index.ts';
import type { Session } from '../session.ts';
import { parseBoolean } from '../flag/value.ts';
import { type ContextMeta, contextName, ContextStore, type TlsFiles } from '../../context/index.ts';

export function storeOf(session: Session): ContextStore {
  return new ContextStore(session.options.configFolder);
}

export function currentContext(session: Session): string {
  return contextName(session.options, session.env, () => session.config());
}

/** @throws Fault invalid. */
export function checkContextName(name: string): void {
  if (name === '') throw new Fault('invalid', 'context name cannot be empty');
  if (name === 'default') throw new Fault('invalid', '"default" is a reserved context name');
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$/.test(name)) {
    throw new Fault(
      'invalid',
      `context name "${name}" is invalid, names are validated against regexp "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$"`,
    );
  }
}

/** `host=…,ca=…,cert=…,key=…,skip-tls-verify=…,from=…`. */
export function endpointFromOptions(
  store: ContextStore,
  options: Readonly<Record<string, string>>,
): { endpoint: ContextMeta['Endpoints'][string]; tls: TlsFiles } {
  for (const key of Object.keys(options)) {
    if (!['from', 'host', 'ca', 'cert', 'key', 'skip-tls-verify'].includes(key)) {
      throw new Fault('invalid', `unrecognized config key: ${key}`);
    }
  }
  const { from, host } = options;
  if (from !== undefined) return { endpoint: store.read(from).Endpoints['docker'] ?? {}, tls: store.readTls(from) };
  const skip = parseBoolean(options['skip-tls-verify'] ?? 'false');
  if (skip === undefined) throw new Fault('invalid', `invalid skip-tls-verify: ${options['skip-tls-verify']}`);
  const tls: TlsFiles = {};
  for (const key of ['ca', 'cert', 'key'] as const) {
    const path = options[key];
    if (path === undefined) continue;
    try {
      tls[`${key}.pem`] = readFileSync(path.replace(/^~(?=\/)/, process.env['HOME'] ?? '~'), 'utf8');
    } catch (error) {
      throw new Fault('invalid', `open ${path}: ${messageOf(error)}`, { cause: error });
    }
  }
  return { endpoint: { ...(host === undefined ? {} : { Host: host }), SkipTLSVerify: skip }, tls };
}

/** A context as `inspect` prints it. */
export function inspectContext(session: Session, name: string, defaultHost: string): object {
  if (name === 'default') {
    return {
      Name: 'default',
      Metadata: {},
      Endpoints: { docker: { Host: defaultHost, SkipTLSVerify: false } },
      TLSMaterial: {},
      Storage: { MetadataPath: '<IN MEMORY>', TLSPath: '<IN MEMORY>' },
    };
  }
  const store = storeOf(session);
  const meta = store.read(name);
  const files = Object.keys(store.readTls(name));
  return {
    Name: meta.Name,
    Metadata: meta.Metadata,
    Endpoints: meta.Endpoints,
    TLSMaterial: files.length === 0 ? {} : { docker: files },
    Storage: { MetadataPath: store.metaFolder(name), TLSPath: store.tlsFolder(name) },
  };
}
