/** Push, pull and what lies between, with the stock docker CLI and Debian's docker-registry. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cannotRun, sharedDaemon } from '../support/daemon.ts';
import { until } from '../support/docker.ts';
import { entry, tar } from '../support/images.ts';
import { filesUnder } from '../support/leaks.ts';
import { freePort, RegistryService } from '../support/peers.ts';
import { fakeRegistry } from '../support/registry.ts';

let reason = cannotRun();
const registry =
  reason === undefined
    ? await RegistryService.open().catch((error: Error) => {
        reason = error.message;
        return undefined;
      })
    : undefined;
const address = registry?.address ?? '';
const proxy = registry === undefined ? undefined : await throttle(address);

const host = await sharedDaemon({
  args: registry === undefined ? [] : ['--registry-mirror', `http://${address}`],
  expectedErrors: [/level=error/],
});
after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

const scenario: typeof host.scenario = (name, body, options) =>
  host.scenario(name, body, reason === undefined ? options : { ...options, skip: reason });

/** An image of random files, one layer each, so that nothing of it is here before. */
async function makeImage(name: string, layers: number, bytes = 20_000): Promise<void> {
  const { docker, daemon } = host;
  const file = join(daemon.root, 'layer.tar');
  writeFileSync(file, await tar([entry('base', 'file', { body: randomBytes(bytes) })]));
  await docker.ok('import', '-c', 'CMD ["/base"]', file, name);
  for (let layer = 1; layer < layers; layer++) {
    const id = await docker.ok('create', name);
    const content = join(daemon.root, `layer${layer}`);
    writeFileSync(content, randomBytes(bytes));
    await docker.ok('cp', content, `${id}:/layer${layer}`);
    await docker.ok('commit', '-m', `layer ${layer}`, id, name);
    await docker.ok('rm', id);
  }
}

const tagsHere = async (repository: string): Promise<string[]> =>
  (await host.docker.ok('images', '--format', '{{.Tag}}', repository)).split('\n').filter(Boolean).sort();

/** Temporary files, none of which may outlive its pull. The parts of blobs may: they are what the next pull goes on from. */
const unfinished = (): string[] =>
  filesUnder(host.daemon.dataRoot).filter((name) => /(^|\/)(tmp|temp|partial)\/|\.(tmp|partial)$/.test(name));

scenario('push, pull, and what each prints', async () => {
  const { docker } = host;
  const name = `${address}/team/app:v1`;
  await makeImage(name, 1);
  const id = await docker.inspect<string>(name, '.Id');
  const pushed = await docker.ok('push', name);
  assert.match(
    pushed,
    new RegExp(
      `^The push refers to repository \\[${address}/team/app\\]\n([0-9a-f]{12}): Preparing\n\\1: Pushed\nv1: digest: (sha256:[0-9a-f]{64}) size: \\d+$`,
    ),
  );
  const digest = /sha256:[0-9a-f]{64}/.exec(pushed)![0];
  assert.match(await docker.ok('push', name), /^[0-9a-f]{12}: Layer already exists$/m);
  assert.equal(await docker.ok('push', '-q', name), name, '--quiet');
  assert.deepEqual(await docker.inspect(name, '.RepoDigests'), [`${address}/team/app@${digest}`]);

  const upToDate = await docker.ok('pull', name);
  assert.equal(
    upToDate,
    `v1: Pulling from team/app\nDigest: ${digest}\nStatus: Image is up to date for ${name}\n${name}`,
  );
  await docker.ok('rmi', name);
  assert.match(
    await docker.ok('pull', name),
    new RegExp(
      `^v1: Pulling from team/app\n([0-9a-f]{12}): Pulling fs layer\n(\\1: Verifying Checksum\n)?\\1: Download complete\n\\1: Pull complete\nDigest: ${digest}\nStatus: Downloaded newer image for ${name}\n${name}$`,
    ),
  );
  assert.equal(await docker.inspect(name, '.Id'), id, 'the very same image comes back');
  await docker.ok('rmi', name);
  assert.equal(await docker.ok('pull', '-q', name), name, '--quiet');
  await docker.ok('rmi', name);
});

scenario('an untagged name means latest', async () => {
  const { docker } = host;
  const name = `${address}/plain`;
  await makeImage(name, 1);
  assert.match(await docker.ok('push', name), /^Using default tag: latest\nThe push refers to .*\nlatest: digest: /s);
  await docker.ok('rmi', name);
  assert.match(await docker.ok('pull', name), /^Using default tag: latest\nlatest: Pulling from plain\n/);
  await docker.ok('rmi', name);
});

scenario('by digest, RepoDigests, and tag and digest together', async () => {
  const { docker } = host;
  const repository = `${address}/by-digest`;
  await makeImage(`${repository}:1`, 2);
  const digest = /sha256:[0-9a-f]{64}/.exec(await docker.ok('push', `${repository}:1`))![0];
  const id = await docker.inspect<string>(`${repository}:1`, '.Id');
  await docker.ok('rmi', `${repository}:1`);

  const pulled = await docker.ok('pull', `${repository}@${digest}`);
  assert.match(pulled, new RegExp(`^${address}/by-digest@${digest}: Pulling from by-digest\n`));
  assert.match(pulled, new RegExp(`Status: Downloaded newer image for ${repository}@${digest}\n`));
  assert.deepEqual(await docker.inspect(id, '.RepoTags'), []);
  assert.deepEqual(await docker.inspect(id, '.RepoDigests'), [`${repository}@${digest}`]);
  assert.match(await docker.ok('images', '--digests', repository), new RegExp(`by-digest +<none> +${digest} `));
  assert.match(await docker.ok('pull', `${repository}@${digest}`), /Status: Image is up to date for /);
  const untagged = await docker.ok('rmi', `${repository}@${digest}`);
  assert.match(untagged, new RegExp(`^Untagged: ${repository}@${digest}\nDeleted: ${id}\n(Deleted: sha256:.*\n?){2}$`));

  await docker.ok('pull', `${repository}:9@${digest}`);
  assert.equal(await docker.inspect(`${repository}@${digest}`, '.Id'), id, 'the tag beside a digest does not count');
  await docker.ok('rmi', `${repository}@${digest}`);
  const absent = `sha256:${'0'.repeat(64)}`;
  assert.match(
    await docker.fails('pull', `${repository}@${absent}`),
    new RegExp(
      `^1: Error response from daemon: manifest for ${repository}@${absent} not found: manifest unknown: manifest unknown$`,
    ),
  );
  assert.match(await docker.fails('push', `${repository}@${digest}`), /^1: cannot push a digest reference$/);
});

scenario('several layers share, and -a takes every tag', async () => {
  const { docker } = host;
  const repository = `${address}/many/tags`;
  await makeImage(`${repository}:c`, 4);
  await docker.ok('tag', `${repository}:c`, `${repository}:a`);
  await makeImage(`${repository}:b`, 7);
  const layers = await docker.inspect<string[]>(`${repository}:b`, '.RootFS.Layers');
  assert.equal(layers.length, 7);
  const pushed = await docker.ok('push', '-a', repository);
  assert.deepEqual(
    [...pushed.matchAll(/^(\S+): digest: /gm)].map((match) => match[1]),
    ['a', 'b', 'c'],
  );
  assert.equal([...pushed.matchAll(/: Pushed$/gm)].length, 11);
  assert.equal([...pushed.matchAll(/: Layer already exists$/gm)].length, 4);
  assert.equal([...pushed.matchAll(/: Waiting$/gm)].length, 2, 'five at once');
  const sizes = await docker.inspect<number>(`${repository}:b`, '.Size');
  for (const tag of ['a', 'b', 'c']) await docker.ok('rmi', `${repository}:${tag}`);
  assert.deepEqual(await tagsHere(repository), []);

  const pulled = await docker.ok('pull', '-a', repository);
  assert.deepEqual(
    [...pulled.matchAll(/^(\S+): Pulling from many\/tags$/gm)]
      .map((match) => match[1] ?? '')
      .sort((a, b) => (a < b ? -1 : 1)),
    ['a', 'b', 'c'],
  );
  assert.equal([...pulled.matchAll(/: Pull complete$/gm)].length, 11, 'the layers of a and c come once');
  assert.equal(pulled.split('\n').pop(), repository);
  assert.deepEqual(await tagsHere(repository), ['a', 'b', 'c']);
  assert.equal(await docker.inspect(`${repository}:a`, '.Id'), await docker.inspect(`${repository}:c`, '.Id'));
  assert.deepEqual(await docker.inspect(`${repository}:b`, '.RootFS.Layers'), layers);
  assert.equal(await docker.inspect(`${repository}:b`, '.Size'), sizes);
  assert.match(
    await docker.ok('history', '--format', '{{.Comment}}', `${repository}:b`),
    /^layer 6\nlayer 5\nlayer 4\nlayer 3\nlayer 2\nlayer 1\nImported from /,
  );
  assert.match(await docker.fails('pull', '-a', `${repository}:b`), /^1: tag can't be used with --all-tags\/-a$/);
  for (const tag of ['a', 'b', 'c']) await docker.ok('rmi', `${repository}:${tag}`);
});

scenario('a tag that moves in the registry: newer, and the old image stays untagged', async () => {
  const { docker } = host;
  const name = `${address}/moving:1`;
  await makeImage(name, 1);
  await docker.ok('push', name);
  const first = await docker.inspect<string>(name, '.Id');
  await docker.ok('tag', name, 'keep:1');
  await makeImage(name, 1);
  await docker.ok('push', name);
  const second = await docker.inspect<string>(name, '.Id');
  await docker.ok('tag', first, name);
  await docker.ok('rmi', second);
  assert.match(await docker.ok('pull', name), new RegExp(`Status: Downloaded newer image for ${name}`));
  assert.equal(await docker.inspect(name, '.Id'), second);
  assert.equal(await docker.inspect('keep:1', '.Id'), first);
  await docker.ok('rmi', name, 'keep:1');
});

scenario('commit and push what a container made, run what was pulled', async () => {
  const { docker } = host;
  const name = `${address}/made:1`;
  await docker.ok(
    'run',
    '--name',
    'maker',
    'busybox',
    'sh',
    '-c',
    'echo made > /made; ln -s made /link; rm /etc/group',
  );
  await docker.ok('commit', '-c', 'CMD cat /made /link', '-c', 'ENV A=b', '-a', 'we', 'maker', name);
  await docker.ok('rm', 'maker');
  await docker.ok('push', name);
  await docker.ok('rmi', name);
  const { code, stdout, stderr } = await docker.run(['run', '--rm', name, 'sh', '-c', 'cat /link; ls /etc; echo $A']);
  assert.deepEqual({ code, stdout }, { code: 0, stdout: 'made\nhostname\nhosts\nmtab\npasswd\nresolv.conf\nb\n' });
  assert.match(stderr, /^Unable to find image '[^']+' locally\n1: Pulling from made\n[0-9a-f]{12}: Already exists\n/);
  assert.match(stderr, /Status: Downloaded newer image for /);
  assert.equal(await docker.ok('run', '--rm', '--pull', 'never', name), 'made\nmade');
  const again = await docker.run(['run', '--rm', '--pull', 'always', name]);
  assert.match(again.stderr, /Status: Image is up to date for /);
  await docker.ok('rmi', name);
});

scenario('what the registry holds, seen by manifest inspect and the distribution endpoint', async () => {
  const { docker, daemon } = host;
  const name = `${address}/seen:1`;
  await makeImage(name, 2);
  const digest = /sha256:[0-9a-f]{64}/.exec(await docker.ok('push', name))![0];
  const manifest = JSON.parse(await docker.ok('manifest', 'inspect', '--insecure', name)) as {
    schemaVersion: number;
    config: { digest: string };
    layers: { size: number }[];
  };
  assert.equal(manifest.schemaVersion, 2);
  assert.equal(manifest.config.digest, await docker.inspect(name, '.Id'));
  assert.equal(manifest.layers.length, 2);
  const { status, body } = await daemon.api('GET', `/v1.51/distribution/${name}/json`);
  assert.equal(status, 200);
  const { Descriptor, Platforms } = body as {
    Descriptor: { digest: string; size: number; mediaType: string };
    Platforms: { architecture: string; os: string }[];
  };
  assert.equal(Descriptor.digest, digest);
  assert.match(
    Descriptor.mediaType,
    /^application\/vnd\.(oci\.image\.manifest\.v1|docker\.distribution\.manifest\.v2)\+json$/,
  );
  assert.ok(Descriptor.size > 100);
  assert.deepEqual(
    Platforms.map(({ architecture, os }) => `${os}/${architecture}`),
    [`linux/${process.arch === 'arm64' ? 'arm64' : 'amd64'}`],
  );
  const missing = await daemon.api('GET', `/v1.51/distribution/${address}/seen:none/json`);
  assert.equal(missing.status, 404);
  await docker.ok('rmi', name);
});

scenario('a missing tag, repository, local image, registry; bad names', async () => {
  const { docker } = host;
  await makeImage(`${address}/exists:1`, 1);
  await docker.ok('push', `${address}/exists:1`);
  const nobody = `127.0.0.1:${await freePort()}`;
  const cases: [string[], RegExp][] = [
    [
      ['pull', `${address}/exists:2`],
      new RegExp(
        `^1: Error response from daemon: manifest for ${address}/exists:2 not found: manifest unknown: manifest unknown$`,
      ),
    ],
    [
      ['pull', `${address}/no/such`],
      new RegExp(
        `^1: Error response from daemon: manifest for ${address}/no/such:latest not found: manifest unknown: manifest unknown$`,
      ),
    ],
    [
      ['pull', '-a', `${address}/no/such`],
      /^1: Error response from daemon: repository \S+\/no\/such not found: name unknown: repository name not known to registry$/,
    ],
    [
      ['pull', `${nobody}/app:1`],
      new RegExp(`^1: Error response from daemon: .*dial tcp ${nobody}: connect: connection refused$`),
    ],
    [['push', `${nobody}/app:1`], new RegExp(`An image does not exist locally with the tag: ${nobody}/app$`)],
    [
      ['push', `${address}/exists:none`],
      new RegExp(`^1: .*An image does not exist locally with the tag: ${address}/exists$`),
    ],
    [
      ['push', '-a', `${address}/none`],
      new RegExp(`^1: .*An image does not exist locally with the tag: ${address}/none$`),
    ],
    [
      ['run', '--rm', `${address}/exists:2`, 'x'],
      /^125: Unable to find image '\S+' locally\n.*docker: Error response from daemon: manifest for \S+ not found: manifest unknown: manifest unknown/s,
    ],
    [['pull', `${address}/Upper:1`], /^1: invalid reference format: repository name \(\S*Upper\) must be lowercase$/],
    [['pull', `${address}/exists:a:b`], /^1: invalid reference format$/],
    [['tag', `${address}/exists:1`, 'sha256:x!'], /^1: .*invalid reference format/],
  ];
  for (const [args, expected] of cases) assert.match(await docker.fails(...args), expected, args.join(' '));
  await docker.ok('rmi', `${address}/exists:1`);
  assert.deepEqual(unfinished(), []);
});

scenario('a push to nobody', async () => {
  const { docker } = host;
  const nobody = `127.0.0.1:${await freePort()}`;
  await docker.ok('tag', 'busybox', `${nobody}/app:1`);
  assert.match(
    await docker.fails('push', `${nobody}/app:1`),
    new RegExp(`dial tcp ${nobody}: connect: connection refused`),
  );
  await docker.ok('rmi', `${nobody}/app:1`);
});

scenario('a pull whose client is killed leaves nothing half-done and works the next time', async () => {
  const { docker } = host;
  const direct = `${address}/slow:1`;
  await makeImage(direct, 2, 3_000_000);
  await docker.ok('push', direct);
  await docker.ok('rmi', direct);
  const name = `${proxy!.address}/slow:1`;
  proxy!.bytesPerSecond = 400_000;
  {
    await using pull = docker.start('pull', name);
    await pull.saw(/Pulling fs layer/);
    await until(() => proxy!.served > 300_000, { what: 'some bytes of a layer' });
    pull.child.kill('SIGKILL');
    await pull.exit;
  }
  await until(() => proxy!.open === 0, { what: 'the daemon to hang up' });
  await until(() => unfinished().length === 0, { what: () => `no unfinished files: ${unfinished().join(' ')}` });
  assert.deepEqual(await tagsHere(`${proxy!.address}/slow`), []);
  assert.equal(await docker.ok('images', '-aq', '--filter', 'dangling=true'), '');
  proxy!.bytesPerSecond = 0;
  const served = proxy!.served;
  assert.match(await docker.ok('pull', name), /Status: Downloaded newer image for /);
  assert.ok(proxy!.served - served < 5_800_000, 'it goes on where the first stopped');
  assert.equal((await docker.inspect<string[]>(name, '.RootFS.Layers')).length, 2);
  await docker.ok('rmi', name);
});

scenario('two clients pull the same; one of them is killed, the other gets it', async () => {
  const { docker } = host;
  const name = `${proxy!.address}/slow:1`;
  proxy!.bytesPerSecond = 3_000_000;
  const served = proxy!.served;
  await using first = docker.start('pull', name);
  await using second = docker.start('pull', name);
  await Promise.all([first.saw(/Pulling fs layer/), second.saw(/Pulling fs layer/)]);
  await until(() => proxy!.served > served + 100_000, { what: 'some bytes of a layer' });
  first.child.kill('SIGKILL');
  assert.equal(await second.ended(30_000), 0, second.stderr);
  proxy!.bytesPerSecond = 0;
  assert.ok(proxy!.served - served < 8_000_000, 'the layers are fetched once');
  await docker.ok('rmi', name);
});

scenario('a pull that the death of the daemon cuts off', async () => {
  const { docker, daemon } = host;
  const name = `${proxy!.address}/slow:1`;
  proxy!.bytesPerSecond = 400_000;
  const served = proxy!.served;
  await using pull = docker.start('pull', name);
  await until(() => proxy!.served > served + 300_000, { what: 'some bytes of a layer' });
  await daemon.restart('SIGKILL');
  assert.equal(await pull.ended(), 1);
  proxy!.bytesPerSecond = 0;
  assert.deepEqual(await tagsHere(`${proxy!.address}/slow`), []);
  await until(() => unfinished().length === 0, { what: () => `no unfinished files: ${unfinished().join(' ')}` });
  await docker.ok('pull', name);
  await docker.ok('rmi', name);
});

scenario('a registry that sends other bytes than it promised is not believed', async () => {
  const { docker } = host;
  const name = `${proxy!.address}/slow:1`;
  proxy!.corrupt = true;
  try {
    assert.match(
      await docker.fails('pull', name),
      /^1: filesystem layer verification failed for digest sha256:[0-9a-f]{64}$/,
    );
  } finally {
    proxy!.corrupt = false;
  }
  assert.deepEqual(await tagsHere(`${proxy!.address}/slow`), []);
  assert.deepEqual(unfinished(), []);
  await docker.ok('pull', name);
  await docker.ok('rmi', name);
});

scenario('a mirror serves the default registry, under its own names', async () => {
  const { docker } = host;
  await makeImage(`${address}/library/mirrored:3`, 1);
  await docker.ok('push', `${address}/library/mirrored:3`);
  await docker.ok('rmi', `${address}/library/mirrored:3`);
  assert.match(
    await docker.ok('pull', 'mirrored:3'),
    /^3: Pulling from library\/mirrored\n.*Status: Downloaded newer image for mirrored:3\ndocker\.io\/library\/mirrored:3$/s,
  );
  assert.match(
    JSON.stringify(await docker.inspect('mirrored:3', '.RepoDigests')),
    /^\["mirrored@sha256:[0-9a-f]{64}"\]$/,
  );
  assert.match(await docker.ok('info'), new RegExp(`Registry Mirrors:\n +http://${address}/`));
  await docker.ok('rmi', 'mirrored:3');
});

scenario('progress bars on a terminal', async () => {
  const { docker } = host;
  const name = `${proxy!.address}/slow:1`;
  proxy!.bytesPerSecond = 6_000_000;
  await using pull = docker.terminal('pull', name);
  await pull.saw(/Downloading +[\d.]+[kM]?B\/3\.00\dMB/, 20_000);
  assert.equal(await pull.ended(), 0, pull.stdout);
  proxy!.bytesPerSecond = 0;
  assert.match(pull.stdout, /Pull complete/);
  await docker.ok('rmi', name);
});

scenario('login: wrong password, right password, nobody there, logout; a private registry', async () => {
  const { docker, daemon } = host;
  const secret = `Basic ${Buffer.from('captain:ahoy').toString('base64')}`;
  await using locked = await fakeRegistry((incoming, response) => {
    if (incoming.headers.authorization === secret) return false;
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="dock"', 'Content-Type': 'application/json' });
    response.end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
    return true;
  });
  const login = (password: string, server = locked.host): Promise<{ code: number; stdout: string; stderr: string }> =>
    docker.run(['login', '-u', 'captain', '--password-stdin', server], { input: password });
  const config = join(daemon.root, 'docker-config/config.json');
  const wrong = await login('wrong');
  assert.equal(wrong.code, 1);
  assert.match(
    wrong.stderr,
    new RegExp(
      `^Error response from daemon: login attempt to http://${locked.host}/v2/ failed with status: 401 Unauthorized`,
    ),
  );
  assert.match(
    await docker.fails('pull', `${locked.host}/app:1`),
    /^1: Error response from daemon: (Head|Get) "http:.*": no basic auth credentials$/,
  );
  const right = await login('ahoy');
  assert.equal(right.code, 0, right.stderr);
  assert.match(right.stdout, /Login Succeeded/);
  assert.ok(readFileSync(config, 'utf8').includes(locked.host));
  assert.match(
    await docker.fails('pull', `${locked.host}/app:1`),
    /^1: Error response from daemon: .*(not found|manifest unknown)/,
  );
  await docker.ok('logout', locked.host);
  const nobody = await login('ahoy', `127.0.0.1:${await freePort()}`);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /connect: connection refused/);
});

interface Throttle extends AsyncDisposable {
  address: string;
  /** 0: as fast as it goes. */
  bytesPerSecond: number;
  /** Bytes of blobs sent so far. */
  served: number;
  /** Blobs on their way. */
  open: number;
  /** Turns over one byte of every layer. */
  corrupt: boolean;
}

/** The registry again, at another port and a chosen speed. */
async function throttle(target: string): Promise<Throttle> {
  const [hostname, port] = target.split(':');
  const server = createServer((incoming, response) => {
    const headers = { ...incoming.headers, host: target };
    const upstream = request({ hostname, port, method: incoming.method, path: incoming.url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      void (async () => {
        const blob = incoming.method === 'GET' && /\/blobs\//.test(incoming.url ?? '');
        if (blob) self.open++;
        let first = true;
        try {
          for await (const chunk of answer as AsyncIterable<Buffer>) {
            if (
              blob &&
              first &&
              self.corrupt &&
              Number(answer.headers['content-length']) > 10_000 &&
              chunk[20] !== undefined
            )
              chunk[20] ^= 0xff;
            first = false;
            for (let at = 0; at < chunk.length && !response.destroyed; at += 16_384) {
              const part = chunk.subarray(at, at + 16_384);
              response.write(part);
              if (blob) self.served += part.length;
              if (blob && self.bytesPerSecond > 0) await sleep((part.length / self.bytesPerSecond) * 1000);
            }
            if (response.destroyed) break;
          }
        } catch {
          // The registry hung up; so do we.
        } finally {
          if (blob) self.open--;
          response.end();
        }
      })();
    });
    upstream.on('error', () => response.destroy());
    incoming.pipe(upstream);
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  const self: Throttle = {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    bytesPerSecond: 0,
    served: 0,
    open: 0,
    corrupt: false,
    [Symbol.asyncDispose]: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return self;
}
