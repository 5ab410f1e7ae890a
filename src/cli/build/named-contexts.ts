/** `--build-context NAME=PATH|URL|docker-image://IMAGE` (docker/buildx, build/opt.go). */
import { resolve } from 'node:path';
import { statSync } from 'node:fs';
import { Fault } from '../../std/index.ts';
import { familiarRepository, parseImageName } from '../../context/index.ts';
import { isRemote } from './remote.ts';

export interface NamedContexts {
  /** "context:NAME" */
  options: Map<string, string>;
  /** Folders to lend. */
  folders: Map<string, string>;
}

/** @throws Fault invalid, not-found */
export function parseNamedContexts(values: readonly string[]): NamedContexts {
  const found: NamedContexts = { options: new Map(), folders: new Map() };
  for (const value of values) {
    const equals = value.indexOf('=');
    if (equals < 0) throw new Fault('invalid', `invalid context value: ${value}, expected key=value`);
    const name = canonicalName(value.slice(0, equals));
    const source = value.slice(equals + 1);
    if (source.startsWith('oci-layout://')) {
      throw new Fault(
        'not-implemented',
        `Cannot use ${source}: load it with 'tar -C DIR -c . | wherry load' and name it as docker-image://IMAGE`,
      );
    }
    if (isRemote(source) || source.startsWith('docker-image://')) found.options.set(`context:${name}`, source);
    else {
      checkFolder(name, source);
      // The names of the main context and of the Dockerfile's folder are taken.
      const lent = name === 'context' || name === 'dockerfile' ? `_${name}` : name;
      found.folders.set(lent, resolve(source));
      found.options.set(`context:${name}`, `local:${lent}`);
    }
  }
  return found;
}

/** A context may stand for an image: then it is found by any way to write that one. */
function canonicalName(name: string): string {
  const { repository, tag, digest } = parseImageName(name);
  const suffix = digest === undefined ? (tag === undefined || tag === 'latest' ? '' : `:${tag}`) : `@${digest}`;
  return `${familiarRepository({ repository, tag, digest })}${suffix}`;
}

function checkFolder(name: string, path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new Fault('not-found', `failed to get build context ${name}: stat ${path}: no such file or directory`);
  }
  if (!stats.isDirectory())
    throw new Fault('invalid', `failed to get build context ${name}: ${path} is not a directory`);
}
