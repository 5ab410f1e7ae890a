/** Docker's context store on disk: `contexts/meta/<sha256 of name>/meta.json` and `contexts/tls/<sha256>/docker/*.pem`. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, Fault } from '../std/index.ts';

export interface ContextMeta {
  Name: string;
  Metadata: { Description?: string; [key: string]: unknown };
  Endpoints: Record<string, { Host?: string; SkipTLSVerify?: boolean; [key: string]: unknown }>;
}

export type TlsFiles = Partial<Record<'ca.pem' | 'cert.pem' | 'key.pem', string>>;

const tlsNames = ['ca.pem', 'cert.pem', 'key.pem'] as const;

export class ContextStore {
  readonly #folder: string;

  constructor(configFolder: string) {
    this.#folder = join(configFolder, 'contexts');
  }

  metaFolder(name: string): string {
    return join(this.#folder, 'meta', idOf(name));
  }

  tlsFolder(name: string): string {
    return join(this.#folder, 'tls', idOf(name));
  }

  /** @throws Fault not-found in Docker's words. */
  read(name: string): ContextMeta {
    const path = join(this.metaFolder(name), 'meta.json');
    try {
      return normalise(JSON.parse(readFileSync(path, 'utf8')) as Partial<ContextMeta>);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      throw new Fault('not-found', `context "${name}": context not found: open ${path}: no such file or directory`);
    }
  }

  has(name: string): boolean {
    try {
      this.read(name);
      return true;
    } catch {
      return false;
    }
  }

  /** In the order of names. */
  list(): ContextMeta[] {
    let ids: string[];
    try {
      ids = readdirSync(join(this.#folder, 'meta'));
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      throw error;
    }
    const all = ids.map((id) =>
      normalise(JSON.parse(readFileSync(join(this.#folder, 'meta', id, 'meta.json'), 'utf8')) as Partial<ContextMeta>),
    );
    return all.sort((a, b) => (a.Name < b.Name ? -1 : 1));
  }

  write(meta: ContextMeta): void {
    const folder = this.metaFolder(meta.Name);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    writeFileSync(join(folder, 'meta.json'), JSON.stringify(meta), { mode: 0o644 });
  }

  readTls(name: string): TlsFiles {
    const files: TlsFiles = {};
    for (const file of tlsNames) {
      try {
        files[file] = readFileSync(join(this.tlsFolder(name), 'docker', file), 'utf8');
      } catch (error) {
        if (errorCode(error) !== 'ENOENT') throw error;
      }
    }
    return files;
  }

  writeTls(name: string, files: TlsFiles): void {
    rmSync(this.tlsFolder(name), { recursive: true, force: true });
    if (Object.keys(files).length === 0) return;
    const folder = join(this.tlsFolder(name), 'docker');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text, { mode: 0o600 });
  }

  remove(name: string): void {
    rmSync(this.metaFolder(name), { recursive: true, force: true });
    rmSync(this.tlsFolder(name), { recursive: true, force: true });
  }
}

function idOf(name: string): string {
  // Loaded here: every start of the command line would pay for it, and few have contexts.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha256').update(name).digest('hex');
}

function normalise(meta: Partial<ContextMeta>): ContextMeta {
  return { Name: meta.Name ?? '', Metadata: meta.Metadata ?? {}, Endpoints: meta.Endpoints ?? {} };
}
