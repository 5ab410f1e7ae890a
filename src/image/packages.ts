/** Which packages an image has, read from the databases that dpkg and apk keep in it. */
import type { StackFiles } from '../snapshot/index.ts';

export type PackageManager = 'dpkg' | 'apk';

/** Name → version. Where two architectures of a package are installed, both names carry theirs. */
export type Packages = ReadonlyMap<string, string>;

/** A hostile database must not fill the memory. */
const packageLimit = 100_000;
const lineLimit = 64 * 1024;
const valueLimit = 512;

/** Of every manager that has left a database in the image. */
export async function readPackages(files: StackFiles): Promise<Map<PackageManager, Packages>> {
  const found = new Map<PackageManager, Packages>();
  const dpkg = await readDpkg(files);
  if (dpkg.size > 0) found.set('dpkg', dpkg);
  const apk = await readApk(files);
  if (apk.size > 0) found.set('apk', apk);
  return found;
}

/** /var/lib/dpkg/status, or a file per package beside it as distroless images have. */
async function readDpkg(files: StackFiles): Promise<Packages> {
  const stanzas: Stanza[] = [];
  const whole = files.read('var/lib/dpkg/status');
  if (whole !== undefined) for await (const stanza of readStanzas(whole)) stanzas.push(stanza);
  for (const name of files.names('var/lib/dpkg/status.d')) {
    if (name.endsWith('.md5sums')) continue;
    const one = files.read(`var/lib/dpkg/status.d/${name}`);
    if (one !== undefined) for await (const stanza of readStanzas(one)) stanzas.push(stanza);
    if (stanzas.length > packageLimit) break;
  }
  const installed = stanzas.filter((stanza) => (stanza.get('Status') ?? ' installed').endsWith(' installed'));
  return namedPackages(installed, { name: 'Package', version: 'Version', architecture: 'Architecture' });
}

/** /lib/apk/db/installed; the folder of lib where /lib is a symlink. */
async function readApk(files: StackFiles): Promise<Packages> {
  const database = files.read('lib/apk/db/installed') ?? files.read('usr/lib/apk/db/installed');
  const stanzas: Stanza[] = [];
  if (database !== undefined) for await (const stanza of readStanzas(database)) stanzas.push(stanza);
  return namedPackages(stanzas, { name: 'P', version: 'V', architecture: 'A' });
}

type Stanza = Map<string, string>;

function namedPackages(
  stanzas: readonly Stanza[],
  keys: { name: string; version: string; architecture: string },
): Packages {
  const count = new Map<string, number>();
  for (const stanza of stanzas) {
    const name = stanza.get(keys.name) ?? '';
    count.set(name, (count.get(name) ?? 0) + 1);
  }
  const packages = new Map<string, string>();
  for (const stanza of stanzas) {
    const name = stanza.get(keys.name) ?? '';
    const full = count.get(name) === 1 ? name : `${name}:${stanza.get(keys.architecture) ?? ''}`;
    if (name !== '') packages.set(full, stanza.get(keys.version) ?? '');
  }
  return packages;
}

const wanted = new Set(['Package', 'Version', 'Architecture', 'Status', 'P', 'V', 'A']);

/** Blocks of `Key: value` lines with an empty line between them; of each only what is asked for here. */
async function* readStanzas(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Stanza, void, void> {
  let stanza: Stanza = new Map();
  let count = 0;
  for await (const line of readLines(bytes)) {
    if (line === '') {
      if (stanza.size > 0) yield stanza;
      stanza = new Map();
      if (++count > packageLimit) return;
      continue;
    }
    const colon = line.indexOf(':');
    const key = line.slice(0, Math.max(0, colon));
    if (wanted.has(key))
      stanza.set(
        key,
        line
          .slice(colon + 1)
          .trim()
          .slice(0, valueLimit),
      );
  }
  if (stanza.size > 0) yield stanza;
}

/** What is longer than any line of such a file is cut. */
async function* readLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let held = '';
  for await (const chunk of bytes) {
    const lines = `${held}${decoder.decode(chunk, { stream: true })}`.split('\n');
    held = lines.pop()!.slice(0, lineLimit);
    yield* lines;
  }
  if (held !== '') yield held;
}
