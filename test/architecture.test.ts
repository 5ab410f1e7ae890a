/** The arrows between rooms (ARCHITECTURE.md): a room opens only the doors listed here, and only through `index.ts`. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { test } from 'node:test';

const arrows: Record<string, readonly string[]> = {
  std: [],
  oci: ['std'],
  api: ['std'],
  linux: ['std'],
  cdi: ['std'],
  dockerfile: ['std'],
  content: ['std', 'oci'],
  registry: ['std', 'oci'],
  snapshot: ['std', 'oci', 'api', 'linux'],
  monitor: ['std', 'linux'],
  runtime: ['std', 'oci', 'linux', 'monitor'],
  buildkit: ['std', 'oci', 'api', 'dockerfile'],
  network: ['std', 'api', 'linux'],
  rootless: ['std', 'linux'],
  volume: ['std', 'api', 'linux'],
  image: ['std', 'oci', 'api', 'content', 'registry', 'snapshot'],
  mirror: ['std', 'oci', 'content', 'registry'],
  container: ['std', 'oci', 'api', 'linux', 'cdi', 'snapshot', 'network', 'volume', 'runtime', 'monitor', 'image'],
  build: ['std', 'oci', 'api', 'linux', 'content', 'dockerfile', 'registry', 'snapshot', 'image', 'container'],
  bootstrap: ['std', 'oci', 'api', 'registry', 'image'],
  engine: [
    'std',
    'oci',
    'api',
    'linux',
    'cdi',
    'content',
    'registry',
    'snapshot',
    'monitor',
    'runtime',
    'network',
    'volume',
    'image',
    'mirror',
    'container',
    'build',
    'bootstrap',
    'buildkit',
    'rootless',
  ],
  server: ['std', 'oci', 'api', 'linux', 'buildkit', 'rootless', 'engine'],
  client: ['std', 'api'],
  compose: ['std', 'api', 'dockerfile', 'client'],
  context: ['std', 'api', 'client'],
  archive: ['std', 'client'],
  cli: ['std', 'api', 'buildkit', 'client', 'compose', 'context', 'archive'],
  sdk: ['std', 'api', 'buildkit', 'client', 'context', 'archive'],
  testing: ['std', 'sdk'],
};

const source = resolve(import.meta.dirname, '../src');
/** What tests of any room may share. */
const support = resolve(import.meta.dirname, 'support');

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

function room(path: string): string {
  return relative(source, path).split(sep)[0]!;
}

const imports = files(source).flatMap((file) =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from\s+|import\s*\(?\s*)'(\.[^']+)'/g)].map((match) => ({
    file,
    target: resolve(dirname(file), match[1]!),
  })),
);

test('the check sees the house', () => {
  assert.ok(imports.length > 20, `only ${imports.length} imports found`);
  for (const name of Object.keys(arrows)) assert.ok(files(join(source, name)).length > 0, `room ${name} is empty`);
});

test('every room is on the map', () => {
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    if (entry.isDirectory()) assert.ok(entry.name in arrows, `src/${entry.name} has no row in the table of arrows`);
  }
});

test('arrows go down, through doors', () => {
  const wrong: string[] = [];
  for (const { file, target } of imports) {
    const from = room(file);
    const to = room(target);
    if (from === to || (file.endsWith('.test.ts') && target.startsWith(support))) continue;
    const name = `${relative(source, file)} → ${relative(source, target)}`;
    if (!arrows[from]?.includes(to)) wrong.push(`${name}: ${from} may not open ${to}`);
    else if (relative(join(source, to), target) !== 'index.ts') wrong.push(`${name}: not through the door`);
  }
  assert.deepEqual(wrong, []);
});
