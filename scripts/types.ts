/**
 * Declarations of what package.json exports, into dist/types: emitted from the sources, and cut down to what the exports reach. Part of making
 * a package (`prepack`) only, so that no start waits for a compiler.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const types = join(root, 'dist/types');

rmSync(types, { recursive: true, force: true });
execFileSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.types.json')],
  {
    stdio: 'inherit',
  },
);

/** In `from '…'` and `import('…')`, also over lines. */
const specifier = /(\bfrom\s+|\bimport\s*\(\s*|\bimport\s+)(['"])(\.{1,2}\/[^'"]+)\.ts\2/g;

const reached = new Set<string>();
const waiting = ['sdk/index.d.ts', 'testing/index.d.ts'].map((name) => join(types, name));
for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
  if (reached.has(file)) continue;
  reached.add(file);
  const text = readFileSync(file, 'utf8');
  for (const [, , , path] of text.matchAll(specifier)) waiting.push(join(dirname(file), `${path}.d.ts`));
  // As compilers of every setting read them.
  writeFileSync(file, text.replaceAll(specifier, '$1$2$3.js$2'));
}
for (const entry of readdirSync(types, { withFileTypes: true, recursive: true })) {
  const path = join(entry.parentPath, entry.name);
  if (entry.isFile() && !reached.has(path)) rmSync(path);
}
