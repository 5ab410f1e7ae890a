/** The devices that vendors describe on this machine: files of a few folders, read anew when one changes. */
import { type Stats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { errorCode, messageOf } from '../std/index.ts';
import { type ContainerEdits, joinEdits, readSpecification, type Specification } from './specification.ts';

export interface CdiProblem {
  path: string;
  message: string;
}

export interface CdiListing {
  /** `vendor.com/class=name`, in order. */
  names: string[];
  /** Files that say nothing that can be used, and names that two files of a folder claim. */
  problems: CdiProblem[];
}

interface Found {
  specification: Specification;
  edits: ContainerEdits;
  /** Of its folder: the last one wins. */
  priority: number;
  path: string;
}

interface Read {
  stamp: string;
  outcome: Specification | CdiProblem;
}

/** No vendor's file is near it. */
const MOST_BYTES = 16 << 20;

export class CdiDevices {
  readonly directories: readonly string[];
  #read = new Map<string, Read>();

  /** @param directories later ones win */
  constructor(directories: readonly string[]) {
    this.directories = directories;
  }

  async list(): Promise<CdiListing> {
    const { devices, problems } = await this.#look();
    return { names: [...devices.keys()].sort(), problems };
  }

  /** What containers with these devices get. `unresolved`: names that nothing describes. */
  async edits(names: readonly string[]): Promise<{ edits: ContainerEdits; unresolved: string[] }> {
    const { devices } = await this.#look();
    const unresolved = names.filter((name) => !devices.has(name));
    const found = names.flatMap((name) => devices.get(name) ?? []);
    const begun = new Set<Specification>();
    const all = found.flatMap(({ specification, edits }) => {
      if (begun.has(specification)) return [edits];
      begun.add(specification);
      return [specification.edits, edits];
    });
    return { edits: joinEdits(all), unresolved };
  }

  async #look(): Promise<{ devices: Map<string, Found>; problems: CdiProblem[] }> {
    const devices = new Map<string, Found>();
    const problems: CdiProblem[] = [];
    const contested = new Set<string>();
    const read = new Map<string, Read>();
    for (const [priority, directory] of this.directories.entries()) {
      for (const path of await specificationFiles(directory)) {
        const each = await this.#readFile(path);
        if (each === undefined) continue;
        read.set(path, each);
        const { outcome: specification } = each;
        if ('message' in specification) {
          problems.push(specification);
          continue;
        }
        for (const { name, edits } of specification.devices) {
          const full = `${specification.kind}=${name}`;
          const other = devices.get(full);
          if (other?.priority === priority) {
            contested.add(full);
            problems.push({
              path,
              message: `conflicting device ${JSON.stringify(full)} (specs ${other.path}, ${path})`,
            });
          } else {
            contested.delete(full);
            devices.set(full, { specification, edits, priority, path });
          }
        }
      }
    }
    for (const name of contested) devices.delete(name);
    this.#read = read;
    return { devices, problems };
  }

  /** undefined when it is gone by now. */
  async #readFile(path: string): Promise<Read | undefined> {
    let stats: Stats;
    try {
      stats = await stat(path);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      return { stamp: '', outcome: { path, message: messageOf(error) } };
    }
    if (!stats.isFile()) return undefined;
    const stamp = `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
    const known = this.#read.get(path);
    if (known?.stamp === stamp) return known;
    try {
      if (stats.size > MOST_BYTES) throw new Error(`${stats.size} bytes are too many for a specification`);
      return { stamp, outcome: readSpecification(await parse(path, await readFile(path, 'utf8'))) };
    } catch (error) {
      return { stamp, outcome: { path, message: messageOf(error) } };
    }
  }
}

async function specificationFiles(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names
      .filter((name) => ['.json', '.yaml'].includes(extname(name)))
      .sort()
      .map((name) => join(directory, name));
  } catch {
    // Most machines have no such folder.
    return [];
  }
}

async function parse(path: string, text: string): Promise<unknown> {
  if (path.endsWith('.json')) return JSON.parse(text);
  // Octal numbers as Go reads them. Loaded only where a vendor wrote YAML: a daemon without such devices does not keep it in memory.
  const yaml = await import('yaml');
  return yaml.parse(text, { version: '1.1', maxAliasCount: 1000 });
}
