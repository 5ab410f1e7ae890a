/** What people see of images, with a real daemon: layers, the tree, what differs; and platforms as the stock command line asks for them. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { cannotRun, repository, sharedDaemon } from '../support/daemon.ts';
import type { Docker } from '../support/docker.ts';
import { RegistryService } from '../support/peers.ts';

const host = await sharedDaemon();
const registry = await (async (): Promise<{ peer?: RegistryService; reason?: string }> => {
  const reason = cannotRun();
  if (reason !== undefined) return { reason };
  try {
    const peer = await RegistryService.open();
    after(() => peer[Symbol.asyncDispose]());
    return { peer };
  } catch (error) {
    return { reason: `no registry: ${(error as Error).message}` };
  }
})();
const wherry = (): Docker => host.daemon.cli(join(repository, 'bin/wherry'));
const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

async function change(from: string, script: string, to: string): Promise<void> {
  await host.docker.ok('run', '--name', 'change', '--network', 'none', from, 'sh', '-ec', script);
  await host.docker.ok('commit', 'change', to);
  await host.docker.ok('rm', 'change');
}

host.scenario('where layers came from, and the tree', async () => {
  await change('busybox', 'echo one > /one', 'app:1');
  await change('app:1', 'rm -r /var/www; echo two > /two', 'app:2');
  const format = ['--format', '{{.From}}|{{.SharedWith}}|{{.CreatedBy}}'];
  assert.deepEqual((await wherry().ok('history', '--layers', ...format, 'app:2')).split('\n'), [
    'app:2 (committed here)||sh -ec rm -r /var/www; echo two > /two',
    'app:1 (committed here)|app:1|sh -ec echo one > /one',
    'busybox:latest (loaded)|busybox:latest, app:1|the busybox of this host',
  ]);
  const screen = host.daemon.cli(join(repository, 'bin/wherry')).terminal('history', '--layers', 'app:2');
  assert.equal(await screen.ended(), 0);
  for (const line of screen.stdout.split('\r\n')) assert.ok(line.length <= 90, line);

  await host.docker.ok('create', '--name', 'user', 'app:2');
  const tree = await wherry().ok('images', '--tree');
  assert.match(
    tree,
    new RegExp(`^app:2 +[0-9a-f]{12} +\\S+ +\\S+ +user\\n└─ linux/${architecture} +[0-9a-f]{12} +\\S+`, 'm'),
  );
  const stock = await host.docker.run(['images', '--tree']);
  if (!stock.stderr.includes('unknown flag')) {
    assert.match(stock.stdout, new RegExp(`app:2[^\\n]*\\n└─ linux/${architecture} `));
  }
  await host.docker.ok('rm', 'user');
});

host.scenario(
  'the tree of a pulled index tells of the platforms that are not here',
  async () => {
    const { docker } = host;
    const { address } = registry.peer!;
    const manifests = [];
    for (const platform of [architecture, 's390x']) {
      const name = `${address}/many:${platform}`;
      await docker.ok('create', '--name', 'source', 'busybox');
      const archive = join(host.daemon.root, 'source.tar');
      await docker.ok('export', '-o', archive, 'source');
      await docker.ok('rm', 'source');
      await docker.ok('import', '--platform', `linux/${platform}`, archive, name);
      const [, digest = '', size] = /digest: (sha256:\S+) size: (\d+)/.exec(await docker.ok('push', name))!;
      const mediaType = 'application/vnd.oci.image.manifest.v1+json';
      manifests.push({ mediaType, digest, size: Number(size), platform: { os: 'linux', architecture: platform } });
      await docker.ok('rmi', '-f', name);
    }
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const put = await fetch(`http://${address}/v2/many/manifests/1`, {
      method: 'PUT',
      headers: { 'Content-Type': mediaType },
      body: JSON.stringify({ schemaVersion: 2, mediaType, manifests }),
    });
    assert.equal(put.status, 201, await put.text());
    await docker.ok('pull', `${address}/many:1`);
    assert.match(
      await wherry().ok('images', '--tree', `${address}/many`),
      new RegExp(
        `\\n${address}/many:1 .*\\n├─ linux/${architecture} +[0-9a-f]{12} +\\S+MB +\\S+MB\\n└─ linux/s390x +${manifests[1]!.digest.slice(7, 19)} +not here$`,
      ),
    );
    const stock = await docker.run(['images', '--tree', `${address}/many`]);
    if (!stock.stderr.includes('unknown flag')) assert.match(stock.stdout, /linux\/s390x/);
  },
  { skip: registry.reason },
);

host.scenario('image diff: what an update did, and its exit code', async () => {
  await change('busybox', 'echo one > /one; chmod 4755 /one; mkdir /new; echo 1 > /new/a; rm /etc/group', 'diff:1');
  const { code, stdout } = await wherry().run(['image', 'diff', '--only', 'files', 'busybox', 'diff:1']);
  assert.equal(code, 1);
  assert.match(
    stdout,
    /\n\nFiles:\n {2}D \/etc\/group {2}\S+\n {2}A \/new\/ {2}1 file, 2B\n {2}A \/one {2}4B\n\nDifferent: 3 files added, 1 removed, 0 changed; \S+ less\n$/,
  );
  assert.equal((await wherry().run(['image', 'diff', '-q', 'diff:1', 'diff:1'])).code, 0);
  assert.match(
    await wherry().fails('image', 'diff', 'busybox', 'nope'),
    /^2: Error response from daemon: No such image: nope/,
  );
});

host.scenario('platforms, as the stock command line and ours ask for them', async () => {
  const own = `linux/${architecture}`;
  const foreign = 'linux/s390x';
  const archive = join(host.daemon.root, 'platform.tar');
  for (const cli of [host.docker, wherry()]) {
    const help = await cli.ok('save', '--help');
    if (!help.includes('--platform')) continue;
    await cli.ok('history', '--platform', own, 'busybox');
    await cli.ok('save', '--platform', own, '-o', archive, 'busybox');
    assert.ok(statSync(archive).size > 1_000_000);
    assert.match(await cli.ok('load', '--platform', own, '-i', archive), /^Loaded image: busybox:latest$/m);
    await cli.ok('image', 'inspect', '--platform', own, 'busybox');
    const mismatch = new RegExp(
      `image with reference busybox was found but its platform \\(${own}\\) does not match the specified platform \\(${foreign}\\)`,
    );
    assert.match(await cli.fails('history', '--platform', foreign, 'busybox'), mismatch);
    assert.match(await cli.fails('image', 'inspect', '--platform', foreign, 'busybox'), mismatch);
    assert.match(
      await cli.fails('save', '--platform', foreign, '-o', archive, 'busybox'),
      /no suitable export target found for platform linux\/s390x/,
    );
    assert.match(await cli.fails('load', '--platform', foreign, '-i', archive), /none for platform linux\/s390x/);
    await host.docker.ok('tag', 'busybox', 'platform:1');
    if ((await cli.ok('rmi', '--help')).includes('--platform')) {
      assert.match(
        await cli.fails('rmi', '--platform', foreign, 'platform:1'),
        /image with reference platform:1 was found but its platform/,
      );
      assert.equal(await cli.ok('rmi', '--platform', own, 'platform:1'), 'Untagged: platform:1');
    }
  }
});
