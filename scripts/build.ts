/** Bundles the command line and the daemon into dist/ when the sources are newer than the last bundle. */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const root = resolve(import.meta.dirname, '..');
const stamp = join(root, 'dist/.built');

function newest(folder: string): number {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && entry.name.endsWith('.ts'))
      latest = Math.max(latest, statSync(join(entry.parentPath, entry.name)).mtimeMs);
  }
  return Math.max(latest, statSync(import.meta.filename).mtimeMs);
}

const entries: Record<string, string> = { wherryd: 'src/server/main.ts', wherry: 'src/cli/main.ts' };
const present = Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(join(root, file))));
const fresh =
  existsSync(stamp) &&
  statSync(stamp).mtimeMs >= newest(join(root, 'src')) &&
  Object.keys(present).every((name) => existsSync(join(root, `dist/${name}.js`)));
if (!fresh) {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  mkdirSync(join(root, 'dist'), { recursive: true });
  await build({
    entryPoints: Object.entries(present).map(([out, file]) => ({ in: join(root, file), out })),
    outdir: join(root, 'dist'),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    keepNames: true,
    legalComments: 'none',
    sourcemap: false,
    external: ['koffi', 'undici'],
    // Packages that are CommonJS inside ask for require.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  writeFileSync(stamp, '');
}
