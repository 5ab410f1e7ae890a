/** Images to measure with: a Debian system of 200 MB in one layer and in eight, one with 60,000 small files, one of 2 GB. */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { readTar, type TarSource, writeTar } from '../src/oci/index.ts';
import { execute } from '../test/support/docker.ts';
import { cacheFolder, entry } from '../test/support/images.ts';

export interface Layer {
  /** The plain tar and its gzip, files. */
  tar: string;
  gzip: string;
  diffId: string;
  digest: string;
}

const folder = (): string => {
  const path = join(cacheFolder(), 'bench-images-1');
  mkdirSync(path, { recursive: true });
  return path;
};

/** Debian with Python, Perl and git: 208 MB in some 8,000 files. @throws Error with the reason */
export async function debianTar(): Promise<string> {
  const file = join(folder(), 'debian.tar');
  if (existsSync(file)) return file;
  const made = await execute(
    'mmdebstrap',
    [
      '--variant=minbase',
      '--quiet',
      '--format=tar',
      '--include=python3,perl,curl,ca-certificates,git',
      '--aptopt=APT::Install-Recommends false',
      ...['doc', 'man', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
      'bookworm',
      `${file}.partial.tar`,
    ],
    { timeoutMs: 300_000 },
  );
  if (made.code !== 0) throw new Error(`mmdebstrap: ${made.stderr.trim().split('\n').at(-1)}`);
  renameSync(`${file}.partial.tar`, file);
  return file;
}

/** The same entries in `count` tars of about equal size. */
export async function splitTar(source: string, count: number): Promise<string[]> {
  const size = statSync(source).size / count;
  const parts: string[] = [];
  const names = Array.from({ length: count }, (_, index) => join(folder(), `debian-${index + 1}-of-${count}.tar`));
  if (names.every((name) => existsSync(name))) return names;
  const entries = readTar(createReadStream(source, { highWaterMark: 1 << 20 }));
  let pending = await entries.next();
  for (const name of names) {
    let written = 0;
    const limit = name === names.at(-1) ? Number.POSITIVE_INFINITY : size;
    const some = async function* (): AsyncGenerator<TarSource> {
      while (pending.done !== true && written < limit) {
        const found = pending.value;
        written += found.size + 512;
        yield found.type === 'file' ? { header: found, body: found.body() } : { header: found };
        pending = await entries.next();
      }
    };
    await pipeline(writeTar(some()), createWriteStream(`${name}.partial`));
    renameSync(`${name}.partial`, name);
    parts.push(name);
  }
  return parts;
}

/** `files` files of a few hundred bytes, a hundred in a folder. */
export async function manyFilesTar(files: number): Promise<string> {
  const file = join(folder(), `many-${files}.tar`);
  if (existsSync(file)) return file;
  const entries = async function* (): AsyncGenerator<TarSource> {
    for (let index = 0; index < files; index++) {
      const directory = `tree/d${Math.floor(index / 100)}`;
      if (index === 0) yield entry('tree', 'directory', { mode: 0o755 });
      if (index % 100 === 0) yield entry(directory, 'directory', { mode: 0o755 });
      yield entry(`${directory}/f${index}`, 'file', { body: `file ${index}\n`.repeat(1 + (index % 40)) });
    }
  };
  await pipeline(writeTar(entries()), createWriteStream(`${file}.partial`));
  renameSync(`${file}.partial`, file);
  return file;
}

/** One file of `megabytes` that compresses by half. */
export async function bigTar(megabytes: number, seed: string): Promise<string> {
  const file = join(folder(), `big-${megabytes}-${seed}.tar`);
  if (existsSync(file)) return file;
  const body = async function* (): AsyncGenerator<Uint8Array> {
    let block = createHash('sha256').update(seed).digest();
    for (let index = 0; index < megabytes; index++) {
      const piece = Buffer.alloc(1 << 20);
      for (let at = 0; at < piece.length; at += 64) {
        block = createHash('sha256').update(block).digest();
        block.copy(piece, at);
      }
      yield piece;
    }
  };
  const header = { ...entry(`big-${seed}`, 'file').header, size: megabytes << 20 };
  await pipeline(writeTar([{ header, body: body() }]), createWriteStream(`${file}.partial`));
  renameSync(`${file}.partial`, file);
  return file;
}

/** A small layer of its own content, for "one changed layer". */
export async function smallTar(text: string): Promise<string> {
  const file = join(folder(), `small-${text}.tar`);
  await pipeline(writeTar([entry('changed.txt', 'file', { body: text.repeat(1000) })]), createWriteStream(file));
  return file;
}

export async function layerOf(tar: string): Promise<Layer> {
  const gzip = `${tar}.gz`;
  if (!existsSync(gzip)) {
    await pipeline(createReadStream(tar), createGzip({ chunkSize: 1 << 18 }), createWriteStream(`${gzip}.partial`));
    renameSync(`${gzip}.partial`, gzip);
  }
  return { tar, gzip, diffId: await digestOf(tar), digest: await digestOf(gzip) };
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

function configOf(layers: readonly Layer[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      created: '2026-01-01T00:00:00Z',
      config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['sh'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map(() => ({ created: '2026-01-01T00:00:00Z', created_by: 'bench' })),
    }),
  );
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A docker-archive with plain layers, as `docker save` writes it. Returns its file. */
export async function dockerArchive(name: string, layers: readonly Layer[]): Promise<string> {
  const file = join(folder(), `${name}.docker.tar`);
  if (existsSync(file)) return file;
  const config = configOf(layers);
  const id = sha256(config).slice(7);
  const entries = async function* (): AsyncGenerator<TarSource> {
    yield entry(`${id}.json`, 'file', { body: config });
    for (const { tar, diffId } of layers) {
      yield entry(diffId.slice(7), 'directory', { mode: 0o755 });
      const header = { ...entry(`${diffId.slice(7)}/layer.tar`, 'file').header, size: statSync(tar).size };
      yield { header, body: createReadStream(tar, { highWaterMark: 1 << 20 }) };
    }
    const Layers = layers.map(({ diffId }) => `${diffId.slice(7)}/layer.tar`);
    yield entry('manifest.json', 'file', {
      body: JSON.stringify([{ Config: `${id}.json`, RepoTags: [`${name}:latest`], Layers }]),
    });
  };
  await pipeline(writeTar(entries()), createWriteStream(`${file}.partial`));
  renameSync(`${file}.partial`, file);
  return file;
}

/** Puts an image into a registry by its own protocol, gzip layers. */
export async function publish(registry: string, repository: string, layers: readonly Layer[]): Promise<void> {
  const config = configOf(layers);
  const base = `http://${registry}/v2/${repository}`;
  const put = async (digest: string, file: string): Promise<void> => {
    if ((await fetch(`${base}/blobs/${digest}`, { method: 'HEAD' })).ok) return;
    const opened = await fetch(`${base}/blobs/uploads/`, { method: 'POST' });
    const target = new URL(opened.headers.get('location')!, base);
    target.searchParams.set('digest', digest);
    const sent = await execute(
      'curl',
      ['-sSf', '-X', 'PUT', '-H', 'Content-Type: application/octet-stream', '-T', file, target.href],
      {
        timeoutMs: 120_000,
      },
    );
    if (sent.code !== 0) throw new Error(`cannot publish ${digest}: ${sent.stderr}`);
  };
  for (const { digest, gzip } of layers) await put(digest, gzip);
  const configFile = join(folder(), `config-${sha256(config).slice(7, 19)}.json`);
  writeFileSync(configFile, config);
  await put(sha256(config), configFile);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      digest: sha256(config),
      size: config.length,
    },
    layers: layers.map(({ digest, gzip }) => ({
      mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      digest,
      size: statSync(gzip).size,
    })),
  });
  const answer = await fetch(`${base}/manifests/latest`, {
    method: 'PUT',
    headers: { 'content-type': 'application/vnd.docker.distribution.manifest.v2+json' },
    body: manifest,
  });
  if (!answer.ok) throw new Error(`cannot publish ${repository}: ${answer.status} ${await answer.text()}`);
}
