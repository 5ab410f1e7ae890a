/** The page as static files in `dist`: scripts and styles with their hash in the name, each also compressed once for all. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = import.meta.dirname;
const out = join(root, 'dist');
rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, 'assets'), { recursive: true });
const result = await build({
  entryPoints: [join(root, 'src/main.tsx'), join(root, 'src/style.css'), join(root, 'src/theme.ts')],
  outdir: join(out, 'assets'),
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  metafile: true,
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'external',
  logLevel: 'warning',
});
const files = Object.keys(result.metafile.outputs).filter((path) => /\.(?:js|css)$/.test(path));
const named = (name: string, extension: string): string => {
  const found = files
    .map((path) => basename(path))
    .find((each) => each.startsWith(`${name}-`) && each.endsWith(extension));
  if (found === undefined) throw new Error(`the build has no ${name}${extension}`);
  return `/assets/${found}`;
};
const page = readFileSync(join(root, 'src/index.html'), 'utf8')
  .replace('{{style}}', named('style', '.css'))
  .replace('{{theme}}', named('theme', '.js'))
  .replace('{{script}}', named('main', '.js'));
writeFileSync(join(out, 'index.html'), page);
cpSync(join(root, 'src/icon.svg'), join(out, 'icon.svg'));
let total = 0;
for (const path of [
  ...files.map((file) => join(out, 'assets', basename(file))),
  join(out, 'index.html'),
  join(out, 'icon.svg'),
]) {
  const bytes = readFileSync(path);
  const small = gzipSync(bytes, { level: 9 });
  writeFileSync(`${path}.gz`, small);
  if (path.endsWith('.js')) total += small.length;
}
process.stdout.write(`built: ${files.length} files, ${(total / 1000).toFixed(1)} kB of JavaScript compressed\n`);
