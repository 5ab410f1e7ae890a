/** What recipes are made of: package sources of the host, Debian's packages, npm's. All by the host's own clients and settings. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../std/index.ts';
import { debianSources } from './apt-sources.ts';
import type { Host } from './catalog.ts';
import { programOutput, runToEnd } from './program.ts';

export type Tell = (text: string) => void;

/** What this machine is. */
export function thisHost(): Host {
  const file = ['/etc/os-release', '/usr/lib/os-release'].find((path) => existsSync(path));
  const text = file === undefined ? '' : readFileSync(file, 'utf8');
  const isDebian = /^ID="?debian"?$/m.test(text);
  const suite = isDebian ? /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(text)?.[1] : undefined;
  return { suite, architecture: process.arch };
}

function aptFiles(): { name: string; text: string }[] {
  const folder = '/etc/apt/sources.list.d';
  const parts = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  return ['/etc/apt/sources.list', ...parts.toSorted()]
    .filter((name) => /\.(?:list|sources)$/.test(name) && existsSync(name))
    .map((name) => ({ name, text: readFileSync(name, 'utf8') }));
}

/** No manuals, no translations; licences stay. */
const slim = [
  'path-exclude=/usr/share/doc/*',
  'path-include=/usr/share/doc/*/copyright',
  'path-exclude=/usr/share/man/*',
  'path-exclude=/usr/share/info/*',
  'path-exclude=/usr/share/locale/*',
  'path-include=/usr/share/locale/locale.alias',
];

/** A Debian root as a tar. `folder` is for what is made on the way. */
export function debianRoot(
  { suite, isSlim }: { suite: string; isSlim: boolean },
  { folder, tell }: { folder: string; tell: Tell },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const sources = debianSources(aptFiles(), suite);
  const file = join(folder, 'debian.sources');
  if (sources !== '') writeFileSync(file, sources);
  const options = isSlim ? slim.map((option) => `--dpkgopt=${option}`) : [];
  return programOutput(
    {
      file: found('mmdebstrap', 'mmdebstrap'),
      args: [
        '--variant=minbase',
        '--format=tar',
        '--mode=root',
        ...options,
        suite,
        '-',
        ...(sources === '' ? [] : [file]),
      ],
      env: { ...process.env, TMPDIR: folder, LC_ALL: 'C.UTF-8' },
      onLine: (line) => tell(line.replace(/^I: /, '')),
    },
    signal,
  );
}

/** A package of the host's release, unpacked into `to`. */
export async function debianPackage(
  name: string,
  { folder, to, tell }: { folder: string; to: string; tell: Tell },
  signal: AbortSignal,
): Promise<void> {
  const apt = found('apt-get', 'apt');
  // Into a folder of root's alone, where apt's own user could not write.
  const args = ['-q', '-o', 'APT::Sandbox::User=root', 'download', name];
  await runToEnd({ file: apt, args, cwd: folder, onLine: tell }, signal);
  const archive = readdirSync(folder).find((each) => each.startsWith(`${name}_`) && each.endsWith('.deb'));
  if (archive === undefined) throw new Fault('unavailable', `apt-get brought no ${name}`);
  mkdirSync(to, { recursive: true });
  await runToEnd({ file: found('dpkg-deb', 'dpkg'), args: ['-x', join(folder, archive), to], onLine: tell }, signal);
}

/** A package of the npm registry that is configured here, unpacked into `to`. @returns its version */
export async function npmPackage(
  wanted: string,
  { folder, to, tell }: { folder: string; to: string; tell: Tell },
  signal: AbortSignal,
): Promise<string> {
  tell(`fetching ${wanted} of the npm registry`);
  const into = join(folder, `pack-${wanted.replace(/[^\w.-]/g, '_')}`);
  mkdirSync(into, { recursive: true });
  const env = { HOME: '/root', ...process.env };
  const args = ['pack', '--loglevel=error', '--ignore-scripts', '--pack-destination', into, wanted];
  await runToEnd({ file: found('npm', 'npm'), args, cwd: folder, env, onLine: () => {} }, signal);
  const archive = readdirSync(into).find((each) => each.endsWith('.tgz'));
  if (archive === undefined) throw new Fault('unavailable', `npm brought no ${wanted}`);
  tell(`unpacking ${archive}`);
  mkdirSync(to, { recursive: true });
  const unpack = [
    '-xzf',
    join(into, archive),
    '-C',
    to,
    '--strip-components=1',
    '--no-same-owner',
    '--no-same-permissions',
  ];
  await runToEnd({ file: found('tar', 'tar'), args: unpack, onLine: tell }, signal);
  const { version } = JSON.parse(readFileSync(join(to, 'package.json'), 'utf8')) as { version: string };
  return version;
}

/** @throws Fault unavailable naming the package that has it */
function found(program: string, debianName: string): string {
  const places = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/bin', '/sbin', '/bin'].filter(Boolean);
  const path = places.map((folder) => join(folder, program)).find((each) => existsSync(each));
  if (path === undefined)
    throw new Fault(
      'unavailable',
      `Cannot make base images: ${program} is missing. Install it: apt-get install ${debianName}`,
    );
  return path;
}
