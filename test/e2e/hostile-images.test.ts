/**
 * Archives made to hurt, through load, import and pull: each is refused with a clear error or does no harm. Nothing is written outside,
 * the disk is not filled, the daemon stays small, and its store is as it should be afterwards.
 */
import assert from 'node:assert/strict';
import { createWriteStream, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after } from 'node:test';
import { createZstdCompress, gzipSync, zstdCompressSync } from 'node:zlib';
import { encodeTarHeader, mediaTypes, sha256, tarHeader, type TarHeader, type TarSource } from '../../src/oci/index.ts';
import { sharedDaemon } from '../support/daemon.ts';
import { entry, tar } from '../support/images.ts';
import { fakeRegistry } from '../support/registry.ts';

const host = await sharedDaemon({
  disk: { type: 'ext4', megabytes: 256 },
  // What is refused in the middle of an image is told as an error of the request.
  expectedErrors: [/no space left on device/],
});
const { scenario } = host;
const megabyte = 1 << 20;
/** Far above what the daemon needs, far below what any of these archives would like it to take. */
const memoryBound = 400 * megabyte;

const victim = mkdtempSync(join(tmpdir(), 'wherry-victim-'));
writeFileSync(join(victim, 'file'), 'untouched');
after(() => rmSync(victim, { recursive: true }));
const outside = join(tmpdir(), 'wherry-hostile-escaped');

function special(name: string, type: TarHeader['type'], rest: Partial<TarHeader> = {}): TarSource {
  return { header: tarHeader(name, type, rest) };
}

/** A header with a field overwritten and its checksum made right again. */
function broken(change: (block: Buffer) => void): Buffer {
  const block = encodeTarHeader(tarHeader('f', 'file'));
  change(block);
  block.fill(32, 148, 156);
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
  return block;
}

const end = Buffer.alloc(1024);

/** An extended header that holds `records`, before an entry. */
function extended(records: Record<string, string | Buffer>): Buffer {
  const data = Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
      let length = rest.length + String(rest.length).length;
      if (String(length).length !== String(rest.length).length) length = rest.length + String(length).length;
      return Buffer.concat([Buffer.from(String(length)), rest]);
    }),
  );
  const header = broken((block) => {
    block.write('x', 156);
    block.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124);
  });
  return Buffer.concat([header, data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

const plain = encodeTarHeader(tarHeader('f', 'file'));

/** `refused`: how; undefined where it does no harm. */
const layers: [name: string, layer: Buffer, refused: RegExp | undefined][] = [
  [
    'dot-dot',
    await tar([entry('../../../../../../../../tmp/wherry-hostile-escaped', 'file', { body: 'x' })]),
    /outside of the root/,
  ],
  ['an absolute path', await tar([entry(outside, 'file', { body: 'x' })]), undefined],
  [
    'through a symlink to the outside',
    await tar([entry('l', 'symlink', { linkName: victim }), entry('l/file', 'file', { body: 'evil' })]),
    undefined,
  ],
  [
    'through a symlink of dots',
    await tar([
      entry('l', 'symlink', { linkName: `../../../../../../..${victim}` }),
      entry('l/file', 'file', { body: 'evil' }),
    ]),
    undefined,
  ],
  [
    'over a symlink',
    await tar([entry('l', 'symlink', { linkName: join(victim, 'file') }), entry('l', 'file', { body: 'evil' })]),
    undefined,
  ],
  [
    'a hard link to the outside',
    await tar([entry('h', 'hardlink', { linkName: join(victim, 'file') })]),
    /hard link to missing/,
  ],
  [
    'a hard link with dots',
    await tar([entry('h', 'hardlink', { linkName: '../../../../../../../../etc/passwd' })]),
    /outside of the root/,
  ],
  [
    'a hard link through a symlink, then written',
    await tar([
      entry('l', 'symlink', { linkName: victim }),
      entry('h', 'hardlink', { linkName: 'l/file' }),
      entry('h', 'file', { body: 'evil' }),
    ]),
    /hard link to missing/,
  ],
  ['a whiteout of dot-dot', await tar([entry('d', 'directory'), entry('d/.wh...', 'file')]), /is not a whiteout/],
  [
    'a whiteout behind a symlink',
    await tar([entry('l', 'symlink', { linkName: victim }), entry('l/.wh.file', 'file')]),
    undefined,
  ],
  [
    'devices',
    await tar([
      special('disk', 'block', { major: 8, minor: 0 }),
      special('mem', 'character', { major: 1, minor: 1, mode: 0o666 }),
    ]),
    undefined,
  ],
  [
    'a sparse file of a petabyte',
    Buffer.concat([
      extended({
        'GNU.sparse.major': '0',
        'GNU.sparse.minor': '1',
        'GNU.sparse.size': '1125899906842624',
        'GNU.sparse.map': '',
      }),
      plain,
      end,
    ]),
    /file too large/,
  ],
  [
    'a size of eight exabytes',
    Buffer.concat([broken((block) => void block.fill(0xff, 125, 136).writeUInt8(0x80, 124)), end]),
    /out of range/,
  ],
  [
    'a size that the archive has not',
    Buffer.concat([broken((block) => void block.write('77777777777\0', 124)), Buffer.alloc(4096)]),
    /unexpected EOF/,
  ],
  ['an owner of 64 bits', Buffer.concat([extended({ uid: '9999999999999' }), plain, end]), /out of range/],
  ['a time at the end of time', Buffer.concat([extended({ mtime: '999999999999999' }), plain, end]), undefined],
  [
    'a header of a gigabyte',
    Buffer.concat([
      broken((block) => {
        block.write('x', 156);
        block.write('07777777777\0', 124);
      }),
      end,
    ]),
    /too large/,
  ],
  [
    'extended headers of a megabyte each',
    Buffer.concat([...Array<Buffer>(20).fill(extended({ comment: 'x'.repeat(1_000_000) })), plain, end]),
    undefined,
  ],
  ['a path of a megabyte', Buffer.concat([extended({ path: 'd/'.repeat(400_000) }), plain, end]), /file name too long/],
  [
    'a name of a thousand bytes',
    Buffer.concat([extended({ path: 'n'.repeat(1000) }), plain, end]),
    /file name too long/,
  ],
  [
    'an xattr of a hundred kilobytes',
    await tar([special('f', 'file', { xattrs: new Map([['user.big', Buffer.alloc(100_000)]]) })]),
    /extended attributes/,
  ],
  [
    'an xattr that fills no inode',
    await tar([special('f', 'file', { xattrs: new Map([['user.big', Buffer.alloc(20_000)]]) })]),
    /extended attributes|^$/,
  ],
  [
    "overlayfs's own marks",
    await tar([special('d', 'directory', { xattrs: new Map([['trusted.overlay.redirect', Buffer.from('/etc')]]) })]),
    undefined,
  ],
  [
    'a truncated archive',
    (await tar([entry('f', 'file', { body: 'x'.repeat(5000) })])).subarray(0, 2000),
    /unexpected EOF/,
  ],
  [
    'truncated gzip',
    gzipSync(await tar([entry('f', 'file', { body: 'x'.repeat(5000) })])).subarray(0, 60),
    /Cannot decompress gzip data/,
  ],
  [
    'truncated zstd',
    zstdCompressSync(await tar([entry('f', 'file', { body: 'x'.repeat(5000) })])).subarray(0, 60),
    /Cannot decompress zstd data|unexpected EOF/,
  ],
  ['no archive at all', Buffer.from('this is no archive'.repeat(100)), /Cannot read archive/],
  [
    'the same name a thousand times',
    await tar([
      ...Array<TarSource>(500).fill(entry('d', 'directory')),
      ...Array<TarSource>(500).fill(entry('d', 'file', { body: 'x' })),
    ]),
    undefined,
  ],
  [
    'a loop of symlinks',
    await tar([
      entry('a', 'symlink', { linkName: 'b' }),
      entry('b', 'symlink', { linkName: 'a' }),
      entry('a/f', 'file', { body: 'x' }),
    ]),
    /too many symlinks/,
  ],
];

function configOf(diffIds: readonly string[], rest: object = {}): Buffer {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  return Buffer.from(
    JSON.stringify({ os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: diffIds }, ...rest }),
  );
}

/** What the layer is when it is uncompressed, as far as it can be told. */
function diffIdOf(name: string, layer: Buffer): string {
  return /truncated (gzip|zstd)/.test(name) ? sha256('unknown') : sha256(layer);
}

async function dockerArchive(config: Buffer, layer: Buffer): Promise<Buffer> {
  return tar([
    entry('config.json', 'file', { body: config }),
    entry('layer.tar', 'file', { body: layer }),
    entry('manifest.json', 'file', {
      body: JSON.stringify([{ Config: 'config.json', RepoTags: ['hostile:1'], Layers: ['layer.tar'] }]),
    }),
  ]);
}

/** A body to the API as it comes, answered in lines of progress. @returns its error, or "" */
async function send(path: string, body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<string> {
  return new Promise((done, reject) => {
    const message = request(
      {
        socketPath: host.daemon.socket,
        method: 'POST',
        path,
        agent: false,
        headers: { 'Content-Type': 'application/x-tar' },
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('error', reject);
        answer.on('end', () => {
          // What is not sent by now is not wanted.
          message.destroy();
          const last = text.trim().split('\n').at(-1) ?? '';
          const { error, message: refusal } = JSON.parse(last === '' ? '{}' : last) as {
            error?: string;
            message?: string;
          };
          done(error ?? (answer.statusCode === 200 ? '' : (refusal ?? `status ${answer.statusCode}`)));
        });
      },
    );
    message.setTimeout(120_000, () => message.destroy(new Error(`no answer to ${path}`)));
    pipeline(Readable.from(body, { objectMode: false }), message).catch((error: NodeJS.ErrnoException) => {
      // Refused before all was sent: the answer tells.
      if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') reject(error);
    });
  });
}

async function harmless(context: string): Promise<void> {
  assert.ok(!existsSync(outside), `${context}: a file outside`);
  assert.deepEqual(readdirSync(victim), ['file'], context);
  assert.equal(readFileSync(join(victim, 'file'), 'utf8'), 'untouched', context);
  assert.equal(await host.daemon.answers(), true, `${context}: the daemon answers`);
}

async function clean(context: string): Promise<void> {
  await host.docker.run(['image', 'rm', '-f', 'hostile:1']);
  await host.docker.ok('image', 'prune', '-f');
  assert.deepEqual(await host.daemon.verify(), [], context);
  assert.ok(
    host.daemon.peakMemory() < memoryBound,
    `${context}: the daemon had ${host.daemon.peakMemory() / megabyte} MiB`,
  );
}

function outcome(context: string, error: string, refused: RegExp | undefined): void {
  if (refused === undefined) assert.equal(error, '', context);
  else assert.match(error, refused, context);
}

scenario('layers made to hurt: imported', async () => {
  for (const [name, layer, refused] of layers) {
    outcome(name, await send('/images/create?fromSrc=-&repo=hostile&tag=1', [layer]), refused);
    await harmless(name);
  }
  await clean('imported');
});

scenario('layers made to hurt: loaded', async () => {
  for (const [name, layer, refused] of layers) {
    const config = configOf([diffIdOf(name, layer)]);
    outcome(name, await send('/images/load', [await dockerArchive(config, layer)]), refused);
    await harmless(name);
  }
  await clean('loaded');
});

scenario('layers made to hurt: pulled', async () => {
  for (const [name, layer, refused] of layers) {
    await using registry = await serving(configOf([diffIdOf(name, layer)]), [layer]);
    outcome(name, await send(`/images/create?fromImage=${registry.host}/hostile&tag=1`, []), refused);
    await harmless(name);
    await host.docker.run(['image', 'rm', '-f', `${registry.host}/hostile:1`]);
  }
  await clean('pulled');
});

/** A registry with one image of these layers. */
async function serving(config: Buffer, blobs: readonly Buffer[]): ReturnType<typeof fakeRegistry> {
  const all = new Map<string, Buffer>();
  const describe = (data: Buffer, mediaType: string): object => {
    all.set(sha256(data), data);
    return { mediaType, digest: sha256(data), size: data.length };
  };
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describe(config, mediaTypes.ociConfig),
      layers: blobs.map((blob) => describe(blob, mediaTypes.ociLayer)),
    }),
  );
  return fakeRegistry((message, response) => {
    const [, kind, name] = /^\/v2\/hostile\/(manifests|blobs)\/(.+)$/.exec(message.url!) ?? [];
    const found = kind === 'manifests' ? manifest : all.get(name ?? '');
    if (found === undefined) return false;
    const type = kind === 'manifests' ? mediaTypes.ociManifest : 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, 'content-length': found.length }).end(found);
    return true;
  });
}

const pieces = 64;
/** Not zeros: those would become holes, which take nothing. */
const filling = Buffer.alloc(32 * megabyte, 'A');

/** A file of two gigabytes in an archive, compressed to almost nothing. */
const bombs: [name: string, make: () => Promise<Buffer>][] = [
  [
    'gzip',
    async () => {
      // A header, then the same piece over and over: gzip's members can be put together.
      const piece = gzipSync(filling);
      const header = gzipSync(encodeTarHeader(tarHeader('filling', 'file', { size: pieces * filling.length })));
      return Buffer.concat([header, ...Array<Buffer>(pieces).fill(piece), gzipSync(end)]);
    },
  ],
  [
    'zstd',
    async () => {
      const parts = (function* (): Generator<Buffer> {
        yield encodeTarHeader(tarHeader('filling', 'file', { size: pieces * filling.length }));
        for (let count = 0; count < pieces; count++) yield filling;
        yield end;
      })();
      const compressed: Buffer[] = [];
      await pipeline(
        Readable.from(parts, { objectMode: false }),
        createZstdCompress(),
        async (source: AsyncIterable<Buffer>) => {
          for await (const chunk of source) compressed.push(chunk);
        },
      );
      return Buffer.concat(compressed);
    },
  ],
];
for (const [name, make] of bombs) {
  scenario(
    `a ${name} bomb is refused while the disk has room, and the room is given back`,
    async () => {
      const { disk } = host.daemon;
      const before = disk!.free;
      const whole = await make();
      const full = /no space left on device: .* are kept for records and containers .*wherry system prune/;
      let least = Number.POSITIVE_INFINITY;
      const watch = setInterval(() => {
        least = Math.min(least, disk!.free);
      }, 5);
      try {
        assert.match(await send('/images/create?fromSrc=-&repo=hostile&tag=1', [whole]), full);
        assert.match(await send('/images/load', [whole]), full);
        assert.match(await send('/images/load', [await dockerArchive(configOf([sha256('x')]), whole)]), full);
        await using registry = await serving(configOf([sha256('x')]), [whole]);
        assert.match(await send(`/images/create?fromImage=${registry.host}/hostile&tag=1`, []), full);
      } finally {
        clearInterval(watch);
      }
      assert.ok(least > 0, 'never full');
      await clean(name);
      assert.ok(disk!.free > before - megabyte, `${before - disk!.free} bytes are not given back`);
    },
    { timeoutMs: 120_000 },
  );
}

scenario(
  'a million entries: files without end are refused while there are inodes, directories take no memory',
  async () => {
    const { disk } = host.daemon;
    for (const type of ['file', 'directory'] as const) {
      const file = join(host.daemon.root, 'million.tar.gz');
      const entries = (function* (): Generator<Buffer> {
        for (let index = 0; index < 1_000_000; index += 1000) {
          yield gzipSync(
            Buffer.concat(
              Array.from({ length: 1000 }, (_, each) =>
                encodeTarHeader(tarHeader(`${type}-${index + each}`, type, { mtime: 1n })),
              ),
            ),
            { level: 1 },
          );
        }
        yield gzipSync(end);
      })();
      await pipeline(Readable.from(entries, { objectMode: false }), createWriteStream(file));
      const { code, stderr } = await host.docker.run(['import', file, 'hostile:1'], { timeoutMs: 100_000 });
      rmSync(file);
      assert.equal(code, 1);
      assert.match(stderr, /no space left on device: (\d+ of \d+ inodes|.*iB of .*iB) are free/);
      assert.ok(disk!.freeInodes > 100);
      await harmless(type);
    }
    await clean('a million entries');
  },
  { timeoutMs: 200_000 },
);

scenario('lists of images of a gigabyte, and an archive of a hundred thousand files', async () => {
  const piece = Buffer.alloc(megabyte, ' ');
  for (const name of ['manifest.json', 'index.json', 'repositories']) {
    const sent = (function* (): Generator<Buffer> {
      yield encodeTarHeader(tarHeader(name, 'file', { size: 1 << 30 }));
      for (let count = 0; count < 1024; count++) yield piece;
      yield end;
    })();
    assert.match(await send('/images/load', sent), new RegExp(`${name} of 1073741824 bytes is too large`));
  }
  const files = (function* (): Generator<Buffer> {
    for (let index = 0; index < 150_000; index += 1000)
      yield Buffer.concat(
        Array.from({ length: 1000 }, (_, each) => encodeTarHeader(tarHeader(`${index + each}`, 'file'))),
      );
    yield end;
  })();
  assert.match(await send('/images/load', files), /more than 100000 files/);
  const names = (function* (): Generator<Buffer> {
    for (let index = 0; index < 100_000; index++)
      yield Buffer.concat([extended({ path: `${index}${'n'.repeat(4000)}` }), plain]);
    yield end;
  })();
  assert.match(await send('/images/load', names), /bytes of names and small files/);
  await clean('lists');
});

scenario('blobs that are not what they are called, and parts that do not fit together', async () => {
  const layer = await tar([entry('f', 'file', { body: 'x' })]);
  const config = configOf([sha256(layer)]);
  const descriptor = (data: Buffer, mediaType: string, size = data.length): object => ({
    mediaType,
    digest: sha256(data),
    size,
  });
  const blob = (data: Buffer, name = data): TarSource =>
    entry(`blobs/sha256/${sha256(name).slice(7)}`, 'file', { body: data });
  const layout = async (parts: { manifest?: object; blobs?: TarSource[] }): Promise<Buffer> => {
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        config: descriptor(config, mediaTypes.ociConfig),
        layers: [descriptor(layer, mediaTypes.ociLayer)],
        ...parts.manifest,
      }),
    );
    const index = { schemaVersion: 2, manifests: [descriptor(manifest, mediaTypes.ociManifest)] };
    return tar([
      ...(parts.blobs ?? [blob(layer), blob(config)]),
      blob(manifest),
      entry('index.json', 'file', { body: JSON.stringify(index) }),
      entry('oci-layout', 'file', { body: '{"imageLayoutVersion":"1.0.0"}' }),
    ]);
  };
  const evil = Buffer.from(JSON.stringify({ rootfs: { diff_ids: [] } }));
  const cases: [name: string, archive: Buffer, refused: RegExp][] = [
    ['a config by another name', await layout({ blobs: [blob(layer), blob(evil, config)] }), /its content is sha256:/],
    ['a layer by another name', await layout({ blobs: [blob(evil, layer), blob(config)] }), /its content is sha256:/],
    [
      'a config that is a link to another blob',
      await layout({
        blobs: [
          blob(layer),
          blob(evil),
          entry(`blobs/sha256/${sha256(config).slice(7)}`, 'symlink', { linkName: sha256(evil).slice(7) }),
        ],
      }),
      /has the content of sha256:/,
    ],
    [
      'a layer of another size',
      await layout({ manifest: { layers: [descriptor(layer, mediaTypes.ociLayer, 5)] } }),
      /bytes, not 5/,
    ],
    [
      'no layer for a diff id',
      await layout({ manifest: { layers: [] } }),
      /1 layers, its manifest 0|layers length mismatch/,
    ],
    [
      'a layer of another diff id',
      await dockerArchive(configOf([sha256('other')]), layer),
      /wrong diff id calculated on extraction/,
    ],
    [
      'a config without shape',
      await dockerArchive(configOf([sha256(layer)], { config: { Env: 5, Labels: [] } }), layer),
      /"config.Env" is not a list of strings/,
    ],
    ['a config that is no JSON', await dockerArchive(Buffer.from('{'), layer), /not JSON/],
    [
      'a manifest that is a list of numbers',
      await tar([entry('manifest.json', 'file', { body: '[1,2]' })]),
      /item without Config/,
    ],
    ['deep JSON', await tar([entry('manifest.json', 'file', { body: '['.repeat(1_000_000) })]), /manifest.json/],
  ];
  for (const [name, archive, refused] of cases) {
    assert.match(await send('/images/load', [archive]), refused, name);
    await harmless(name);
  }
  const many = Array.from({ length: 127 }, () => sha256(layer));
  await using registry = await serving(
    configOf(many),
    Array.from({ length: 127 }, () => layer),
  );
  assert.match(await send(`/images/create?fromImage=${registry.host}/hostile&tag=1`, []), /max depth exceeded/);
  await clean('parts');
});

scenario('the same layer twice is an image like others', async () => {
  const layer = await tar([entry('f', 'file', { body: 'x' })]);
  await using registry = await serving(configOf([sha256(layer), sha256(layer)]), [layer, layer]);
  const name = `${registry.host}/hostile:1`;
  assert.equal(await send(`/images/create?fromImage=${registry.host}/hostile&tag=1`, []), '');
  assert.deepEqual(await host.docker.inspect(name, '.RootFS.Layers'), [sha256(layer), sha256(layer)]);
  const id = await host.docker.ok('create', name, '/f');
  assert.match(await host.docker.ok('cp', `${id}:/f`, '-'), /x/);
  await host.docker.ok('rm', id);
  await host.docker.ok('rmi', name);
  await clean('twice');
});

scenario('devices of an image are no way to the host', async () => {
  const { docker } = host;
  await docker.ok('create', '--name', 'base', 'busybox');
  const layer = await tar([
    special('mem', 'character', { major: 1, minor: 1, mode: 0o666 }),
    special('dev-null', 'character', { major: 1, minor: 3, mode: 0o666 }),
  ]);
  const file = join(host.daemon.root, 'devices.tar');
  writeFileSync(file, layer);
  await docker.ok('rm', 'base');
  const [base] = await docker.inspect<string[]>('busybox', '.RootFS.Layers');
  assert.ok(base !== undefined);
  const id = await docker.ok('create', 'busybox', 'sh', '-c', 'cat /mem | head -c 1; echo $?');
  assert.equal((await docker.run(['cp', '-', `${id}:/`], { input: layer })).code, 0);
  const run = await docker.run(['start', '-a', id]);
  assert.match(run.stdout + run.stderr, /Operation not permitted|Permission denied|can't open/);
  await docker.ok('rm', id);
});
