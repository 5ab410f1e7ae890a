/** Images without a registry: busybox from this host, Debian with PostgreSQL and nginx from this host's own package sources. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeTar, type TarSource, type TarType } from '../../src/oci/index.ts';
import { execute } from './docker.ts';

/** Where things that take long to make are kept between runs. */
export function cacheFolder(): string {
  const folder = process.env['WHERRY_TEST_CACHE'] ?? join(homedir(), '.cache/wherry-tests');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** A docker-archive of `busybox:latest`: Debian's static busybox, its applets as links, a few users. @throws Error with the reason */
export async function busyboxImage(): Promise<string> {
  const program = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
  if (program === undefined) throw new Error('no /bin/busybox on this host (package busybox-static)');
  const bytes = readFileSync(program);
  const folder = join(cacheFolder(), `busybox-2-${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`);
  const file = join(folder, 'busybox.tar');
  if (existsSync(file)) return file;
  const applets = (await execute(program, ['--list'])).stdout
    .split('\n')
    .filter((name) => name !== '' && name !== 'busybox');
  const layer = await tar([
    ...['bin', 'dev', 'etc', 'home', 'proc', 'root', 'sys', 'tmp', 'usr', 'usr/bin', 'var', 'var/spool', 'var/www'].map(
      (name) => entry(name, 'directory', { mode: name === 'tmp' ? 0o1777 : name === 'root' ? 0o700 : 0o755 }),
    ),
    entry('bin/busybox', 'file', { body: bytes, mode: 0o755 }),
    ...applets.map((name) => entry(`bin/${name}`, 'symlink', { linkName: 'busybox' })),
    entry('etc/passwd', 'file', {
      body: 'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n',
    }),
    entry('etc/group', 'file', { body: 'root:x:0:\nwww-data:x:33:\nstaff:x:50:nobody\nnogroup:x:65534:\n' }),
  ]);
  const diffId = createHash('sha256').update(layer).digest('hex');
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    created: '2024-05-01T00:00:00Z',
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
    history: [{ created: '2024-05-01T00:00:00Z', created_by: 'the busybox of this host' }],
  });
  const id = createHash('sha256').update(config).digest('hex');
  const archive = await tar([
    entry(`${id}.json`, 'file', { body: config }),
    entry(diffId, 'directory', { mode: 0o755 }),
    entry(`${diffId}/layer.tar`, 'file', { body: layer }),
    entry('manifest.json', 'file', {
      body: JSON.stringify([{ Config: `${id}.json`, RepoTags: ['busybox:latest'], Layers: [`${diffId}/layer.tar`] }]),
    }),
  ]);
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${file}.${process.pid}`, archive);
  renameSync(`${file}.${process.pid}`, file);
  return file;
}

/** A root filesystem for `docker import`: Debian with PostgreSQL 15 and nginx. @throws Error with the reason */
export async function debianFilesystem(): Promise<string> {
  const suite = /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (!/^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8')) || suite === undefined)
    throw new Error('the host is not Debian');
  const packages = ['postgresql', 'nginx-light', 'curl'];
  const arguments_ = [
    '--variant=minbase',
    '--quiet',
    '--format=tar',
    `--include=${packages.join(',')}`,
    '--aptopt=APT::Install-Recommends false',
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-exclude=/usr/share/man/*',
    '--dpkgopt=path-exclude=/usr/share/locale/*',
    suite,
  ];
  const key = createHash('sha256').update(JSON.stringify(arguments_)).digest('hex').slice(0, 16);
  const file = join(cacheFolder(), `debian-${key}.tar`);
  if (existsSync(file)) return file;
  if ((await execute('mmdebstrap', ['--version'])).code !== 0) throw new Error('mmdebstrap is not installed');
  const partial = `${file}.${process.pid}.partial.tar`;
  try {
    const made = await execute('mmdebstrap', [...arguments_, partial], { timeoutMs: 300_000 });
    if (made.code !== 0 || !existsSync(partial) || statSync(partial).size < 1e6) {
      throw new Error(
        `mmdebstrap could not make the Debian image: ${made.stderr.trim().split('\n').slice(-3).join(' / ')}`,
      );
    }
    for (const old of readdirSync(cacheFolder()))
      if (/^debian-.*\.tar$/.test(old) && !old.includes('partial')) rmSync(join(cacheFolder(), old));
    renameSync(partial, file);
  } finally {
    rmSync(partial, { force: true });
  }
  return file;
}

/** One entry of an archive. */
export function entry(
  name: string,
  type: TarType,
  {
    body,
    mode = 0o644,
    linkName = '',
    uid = 0,
    gid = 0,
  }: { body?: string | Uint8Array; mode?: number; linkName?: string; uid?: number; gid?: number } = {},
): TarSource {
  const data = typeof body === 'string' ? Buffer.from(body) : body;
  return {
    header: {
      name: Buffer.from(name),
      type,
      mode: type === 'symlink' ? 0o777 : mode,
      uid,
      gid,
      userName: Buffer.alloc(0),
      groupName: Buffer.alloc(0),
      size: data?.length ?? 0,
      mtime: 1_714_521_600_000_000_000n,
      linkName: Buffer.from(linkName),
      major: 0,
      minor: 0,
      xattrs: new Map(),
    },
    body: data,
  };
}

export async function tar(entries: TarSource[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(entries)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
