/** `--output`, `--load`, `--push` (docker/buildx, util/buildflags/export.go). */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { OutputTarget } from '../../buildkit/index.ts';
import { Fault } from '../../std/index.ts';
import { csvFields } from '../run/csv.ts';

export interface Output {
  /** As the builder knows it. */
  type: string;
  attributes: Map<string, string>;
  target: OutputTarget | { standardOutput: true } | undefined;
  /** The folder that an image is put into as an OCI layout (`tar=false`). */
  layout?: string;
  /** Names are pushed when the image is there. */
  isPushed: boolean;
}

export interface OutputFlags {
  outputs: readonly string[];
  load: boolean;
  push: boolean;
  tags: readonly string[];
  isTerminal: boolean;
}

/** @throws Fault invalid */
export function parseOutputs({ outputs: values, load, push, tags, isTerminal }: OutputFlags): Output[] {
  const entries = values.map(parseEntry);
  if (push) {
    const images = entries.filter(({ type }) => type === 'image');
    for (const each of images) each.attributes.set('push', 'true');
    if (images.length === 0) entries.push({ type: 'image', attributes: new Map([['push', 'true']]), dest: '' });
  }
  const isLoaded = entries.some(({ type, dest }) => type === 'docker' && dest === '');
  if (load && !isLoaded) entries.push({ type: 'docker', attributes: new Map(), dest: '' });
  if (entries.length === 0) entries.push({ type: 'docker', attributes: new Map(), dest: '' });
  // What is only kept in the cache is kept there anyway.
  const outputs = entries.filter(({ type }) => type !== 'cacheonly').map((entry) => settle(entry, isTerminal));
  for (const output of outputs) name(output, tags);
  return outputs;
}

interface Entry {
  type: string;
  attributes: Map<string, string>;
  /** '' when not given. */
  dest: string;
}

function parseEntry(value: string): Entry {
  const fields = csvFields(value);
  if (fields.length === 1 && !/^(type|dest)=/.test(value)) {
    return { type: value === '-' ? 'tar' : 'local', attributes: new Map(), dest: value };
  }
  const attributes = new Map<string, string>();
  for (const field of fields) {
    const equals = field.indexOf('=');
    if (equals < 0) throw new Fault('invalid', `invalid value ${field}`);
    attributes.set(field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1));
  }
  const type = attributes.get('type') ?? '';
  const dest = attributes.get('dest') ?? '';
  attributes.delete('type');
  attributes.delete('dest');
  if (type === '') {
    throw new Fault(
      'invalid',
      `type is required for output ${JSON.stringify(value)}: local, tar, oci, docker, image or registry`,
    );
  }
  if (type !== 'registry') return { type, attributes, dest };
  return { type: 'image', attributes: attributes.set('push', 'true'), dest };
}

const types = ['docker', 'image', 'local', 'oci', 'registry', 'tar', 'cacheonly'];

function settle({ type, attributes, dest }: Entry, isTerminal: boolean): Output {
  const isPushed = /^(1|t|true)$/i.test(attributes.get('push') ?? '');
  attributes.delete('push');
  if (type === 'image' || (type === 'docker' && dest === '')) {
    return { type: 'moby', attributes, target: undefined, isPushed };
  }
  if (type === 'local') return { type, attributes, target: { folder: checkFolder(dest) }, isPushed: false };
  if (!['tar', 'oci', 'docker'].includes(type)) {
    throw new Fault('invalid', `exporter ${JSON.stringify(type)} could not be found: use one of ${types.join(', ')}`);
  }
  if (/^(0|f|false)$/i.test(attributes.get('tar') ?? '')) {
    if (dest === '' || dest === '-')
      throw new Fault('invalid', `dest is required for ${type} exporter with tar=false: the folder of the layout`);
    return { type, attributes, target: undefined, layout: checkFolder(dest), isPushed: false };
  }
  const path = dest === '' ? '-' : dest;
  if (path !== '-') return { type, attributes, target: { file: checkFile(path) }, isPushed: false };
  if (isTerminal)
    throw new Fault('invalid', `dest file is required for ${type} exporter. refusing to write to console`);
  return { type, attributes, target: { standardOutput: true }, isPushed: false };
}

function checkFolder(dest: string): string {
  if (dest === '') throw new Fault('invalid', 'dest is required for local exporter');
  if (dest === '-') throw new Fault('invalid', 'dest cannot be stdout for local exporter');
  const stats = statSync(dest, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isDirectory()) {
    throw new Fault('invalid', `destination directory ${dest} is a file`);
  }
  return dest;
}

function checkFile(dest: string): string {
  const stats = statSync(dest, { throwIfNoEntry: false });
  if (stats?.isDirectory() === true) throw new Fault('invalid', `destination file ${dest} is a directory`);
  if (stats === undefined && statSync(dirname(dest), { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new Fault('invalid', `failed to open ${dest}: the directory ${dirname(dest)} does not exist`);
  }
  return dest;
}

/** The names of `--tag`; else those of the output itself. @throws Fault invalid when there are none to push */
function name({ type, attributes, isPushed }: Output, tags: readonly string[]): void {
  if (type === 'local' || type === 'tar') return;
  if (tags.length > 0) attributes.set('name', tags.join(','));
  if (isPushed && (attributes.get('name') ?? '') === '') {
    throw new Fault('invalid', "tag is needed when pushing to registry: add '-t NAME'");
  }
}
