/** Bundles the command line, the daemon and the SDK into dist/ when the sources are newer than the last bundle. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type BuildOptions, build } from 'esbuild';

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
/** What package.json exports. Their types are made by types.ts, when a package is made. */
const modules: Record<string, string> = { sdk: 'src/sdk/index.ts', testing: 'src/testing/index.ts' };
const present = Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(join(root, file))));
const fresh =
  existsSync(stamp) &&
  statSync(stamp).mtimeMs >= newest(join(root, 'src')) &&
  [...Object.keys(present), ...Object.keys(modules)].every((name) =>
    existsSync(join(root, `dist/${name}.${name === 'wherry' ? 'cjs' : 'js'}`)),
  );
if (!fresh) {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  mkdirSync(join(root, 'dist'), { recursive: true });
  const common: BuildOptions = {
    bundle: true,
    platform: 'node',
    target: 'node24',
    minify: true,
    keepNames: true,
    legalComments: 'none',
    sourcemap: false,
    external: ['koffi', 'undici'],
    logLevel: 'warning',
  };
  // The command line is one CommonJS file: Node loads it in half the time of modules in pieces.
  // It is built apart from the daemon, so that what only the daemon needs is not in it.
  if ('wherry' in present) {
    await build({
      ...common,
      entryPoints: [join(root, 'src/cli/program.ts')],
      outfile: join(root, 'dist/wherry.cjs'),
      format: 'cjs',
      keepNames: false,
      define: { 'import.meta.dirname': '__dirname' },
      // import() would start Node's loader of modules for each of its own; require does not.
      supported: { 'dynamic-import': false },
      // The function that wherry-main.cjs compiles.
      banner: { js: '(function(exports,require,module,__filename,__dirname){' },
      footer: { js: '})' },
    });
    copyFileSync(join(root, 'scripts/wherry-main.cjs'), join(root, 'dist/wherry-main.cjs'));
    // Without it the first command makes the cache, of what it happens to run.
    spawnSync(process.execPath, [join(root, 'scripts/warm-cli.ts')], { stdio: 'ignore', timeout: 30_000 });
  }
  await build({
    ...common,
    entryPoints: Object.entries(present)
      .filter(([out]) => out !== 'wherry')
      .map(([out, file]) => ({ in: join(root, file), out })),
    outdir: join(root, 'dist'),
    splitting: true,
    format: 'esm',
    // Packages that are CommonJS inside ask for require.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
  // Apart from the daemon, so that neither is cut into pieces for the other; readable, for it is in other people's stack traces.
  await build({
    ...common,
    minify: false,
    keepNames: false,
    entryPoints: Object.entries(modules).map(([out, file]) => ({ in: join(root, file), out })),
    outdir: join(root, 'dist'),
    splitting: true,
    chunkNames: 'sdk-[hash]',
    format: 'esm',
  });
  writeFileSync(stamp, '');
}
