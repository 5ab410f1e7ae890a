/** Stock clients building, against the server and a builder that plays builds. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import Dockerode from 'dockerode';
import { execute, executeBytes, type Outcome, Running as Process } from '../../test/support/docker.ts';
import { packages, pythonClients } from '../../test/support/peers.ts';
import type { PlayedBuild } from '../../test/support/played-builds.ts';
import { eventually, type Running, withServer } from '../../test/support/server.ts';
import type { ProgressMessage } from '../api/index.ts';

const isRoot = process.getuid?.() === 0;
const peers = await packages('newer').catch((error: unknown) => String(error));
const plugins = join(peers, 'usr/libexec/docker/cli-plugins');
const docker = join(peers, 'usr/bin/docker');
const noRoot = isRoot ? undefined : 'needs root (owners of what is unpacked)';
const noDocker = existsSync(docker) ? undefined : `the docker CLI cannot be had: ${peers}`;
const noBuildx = existsSync(join(plugins, 'docker-buildx')) ? undefined : `docker-buildx cannot be had: ${peers}`;
const python = await pythonClients().catch((error: unknown) => String(error));

function folderOf({ folder }: Running, files: Record<string, string>): string {
  const root = join(folder, 'context');
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

function environment({ path, folder }: Running, plugged: boolean): Record<string, string> {
  const config = join(folder, 'config');
  mkdirSync(config, { recursive: true });
  writeFileSync(join(config, 'config.json'), JSON.stringify(plugged ? { cliPluginsExtraDirs: [plugins] } : {}));
  return {
    DOCKER_HOST: `unix://${path}`,
    DOCKER_CONFIG: config,
    HOME: folder,
    DOCKER_BUILDKIT: plugged ? '1' : '0',
    BUILDX_NO_DEFAULT_ATTESTATIONS: '1',
  };
}

const only = ({ engine }: Running): PlayedBuild => {
  assert.equal(engine.builds.seen.length, 1);
  return engine.builds.seen[0]!;
};

describe('docker build without buildx', { skip: noRoot ?? noDocker ?? false }, () => {
  const build = (running: Running, args: readonly string[], input?: string | Uint8Array): Promise<Outcome> =>
    execute(docker, ['build', ...args], {
      timeoutMs: 30_000,
      env: environment(running, false),
      ...(input === undefined ? {} : { input }),
    });

  test('its options, its progress, the image id', async () => {
    await withServer({}, async (running) => {
      const root = folderOf(running, {
        Dockerfile: 'FROM busybox AS one\nRUN echo played\n',
        file: 'content',
        'not/wanted': 'x',
        '.dockerignore': 'not\n',
      });
      const iid = join(running.folder, 'iid');
      const named = ['-t', 'x:1', '-t', 'y', '--label', 'l=v', '--build-arg', 'A=1', '--target', 'one'];
      const limited = ['-m', '64m', '--ulimit', 'nofile=10:20', '--add-host', 'h:1.2.3.4', '--network', 'none'];
      const out = await build(running, [...named, ...limited, '--no-cache', '--pull', '--iidfile', iid, root]);
      assert.equal(out.code, 0, out.stderr);
      assert.match(out.stdout, /Step 2\/3 : RUN echo played\n ---> Running in \w{12}\nplayed\n/);
      assert.match(out.stdout, /Successfully tagged x:1\nSuccessfully tagged y:latest\n$/);
      assert.match(readFileSync(iid, 'utf8'), /^sha256:[0-9a-f]{64}$/);
      const { request, files } = only(running);
      assert.deepEqual([...files.keys()].sort(), ['.dockerignore', 'Dockerfile', 'file']);
      assert.deepEqual(
        [...request.buildArgs, ...request.labels],
        [
          ['A', '1'],
          ['l', 'v'],
        ],
      );
      assert.deepEqual(
        [request.limits.memory, request.limits.ulimits],
        [64 << 20, [{ Name: 'nofile', Soft: 10, Hard: 20 }]],
      );
      const { target, network, extraHosts, noCache, pull } = request;
      assert.deepEqual(
        { target, network, extraHosts, noCache, pull },
        { target: 'one', network: 'none', extraHosts: ['h:1.2.3.4'], noCache: true, pull: true },
      );
    });
  });

  test('its exit code is the failed command’s; -q; a Dockerfile that is wrong', async () => {
    await withServer({}, async (running) => {
      const failed = await build(running, [folderOf(running, { Dockerfile: 'FROM busybox\nRUN exit 7\n' })]);
      assert.equal(failed.code, 7);
      assert.match(failed.stderr, /The command '\/bin\/sh -c exit 7' returned a non-zero code: 7/);
      const quiet = await build(running, ['-q', folderOf(running, { Dockerfile: 'FROM busybox\n' })]);
      assert.match(quiet.stdout, /^sha256:[0-9a-f]{64}\n$/);
      const wrong = await build(running, [folderOf(running, { Dockerfile: 'FROM busybox\nBOGUS\n' })]);
      assert.match(
        wrong.stderr,
        /Error response from daemon: dockerfile parse error on line 2: unknown instruction: BOGUS/,
      );
      assert.equal(wrong.code, 1);
    });
  });

  test('a Dockerfile elsewhere, on stdin; a context on stdin; a compressed one', async () => {
    await withServer({}, async (running) => {
      const root = folderOf(running, { 'other/Dockerfile.x': 'FROM scratch\n', file: 'x' });
      const { builds } = running.engine;
      const last = (): PlayedBuild => builds.seen.at(-1)!;
      assert.equal((await build(running, ['-f', join(root, 'other/Dockerfile.x'), root])).code, 0);
      assert.equal(last().dockerfile, 'FROM scratch\n');
      const fromStdin = await build(running, ['-f', '-', root], 'FROM busybox\n');
      assert.equal(fromStdin.code, 0, fromStdin.stderr);
      assert.equal(last().dockerfile, 'FROM busybox\n');
      assert.equal(last().files.get('file'), 'x');
      assert.equal((await build(running, ['-'], 'FROM scratch\nENV a=b\n')).code, 0);
      assert.equal(last().dockerfile, 'FROM scratch\nENV a=b\n');
      const packed = await executeBytes('tar', ['-cz', '-C', root, '.']);
      assert.equal((await build(running, ['-f', 'other/Dockerfile.x', '-'], packed.stdout)).code, 0);
      assert.equal(last().files.get('file'), 'x');
      assert.equal((await build(running, ['--compress', '-f', join(root, 'other/Dockerfile.x'), root])).code, 0);
      assert.equal(last().files.get('file'), 'x');
    });
  });

  test('interrupted, it cancels its build; builder prune', async () => {
    await withServer({}, async (running) => {
      const root = folderOf(running, { Dockerfile: 'FROM busybox\nRUN wait\n' });
      await using client = new Process(docker, ['build', root], { env: environment(running, false) });
      await client.saw(/waiting/);
      client.child.kill('SIGINT');
      assert.notEqual(await client.ended(), 0);
      await eventually(() => running.engine.builds.seen[0]!.aborted, 'the build goes on');
      const pruned = await execute(docker, ['builder', 'prune', '-f'], { env: environment(running, false) });
      assert.equal(pruned.code, 0, pruned.stderr);
      assert.match(pruned.stdout, /Total reclaimed space: 1kB/);
    });
  });
});

describe('docker build with buildx', { skip: noDocker ?? noBuildx ?? false }, () => {
  const build = (running: Running, args: readonly string[], input?: string | Uint8Array): Promise<Outcome> =>
    execute(docker, ['build', '--progress=plain', ...args], {
      timeoutMs: 60_000,
      env: environment(running, true),
      ...(input === undefined ? {} : { input }),
    });

  test('a build: its context, a secret, the image id', async () => {
    await withServer({}, async (running) => {
      const root = folderOf(running, { Dockerfile: 'FROM busybox\nRUN secret token\n', file: 'content' });
      writeFileSync(join(running.folder, 'secret'), 'hush');
      const iid = join(running.folder, 'iid');
      const secret = `id=token,src=${join(running.folder, 'secret')}`;
      const out = await build(running, ['-t', 'x:1', '--iidfile', iid, '--secret', secret, root]);
      assert.equal(out.code, 0, out.stderr);
      assert.match(out.stderr, /hush/);
      assert.match(readFileSync(iid, 'utf8'), /^sha256:[0-9a-f]{64}$/);
      const { request, files } = only(running);
      assert.equal(files.get('file'), 'content');
      assert.deepEqual(request.outputs[0]?.names, ['x:1']);
    });
  });

  test('a failing step shows its line', async () => {
    await withServer({}, async (running) => {
      const out = await build(running, [folderOf(running, { Dockerfile: 'FROM busybox\nRUN exit 7\n' })]);
      assert.notEqual(out.code, 0);
      assert.match(out.stderr, /2 \| >>> RUN exit 7/);
    });
  });

  test('a context as a tar', async () => {
    await withServer({}, async (running) => {
      const root = folderOf(running, { Dockerfile: 'FROM scratch\n', 'd/file': 'in the tar' });
      const packed = await executeBytes('tar', ['-c', '-C', root, '.']);
      const out = await build(running, ['-'], packed.stdout);
      assert.equal(out.code, 0, out.stderr);
      assert.equal(only(running).files.get('d/file'), 'in the tar');
    });
  });

  test('killed, it cancels its build', async () => {
    await withServer({}, async (running) => {
      const root = folderOf(running, { Dockerfile: 'FROM busybox\nRUN wait\n' });
      await using client = new Process(docker, ['build', '--progress=plain', root], {
        env: environment(running, true),
      });
      await client.saw(/waiting/);
      client.child.kill('SIGKILL');
      await eventually(() => running.engine.builds.seen[0]!.aborted, 'the build goes on');
    });
  });

  test('docker compose build; du; prune', async () => {
    await withServer({}, async (running) => {
      const root = folderOf(running, { Dockerfile: 'FROM busybox\nRUN echo hi\n', file: 'content' });
      const compose = { services: { web: { build: { context: '.', args: { A: '1' } }, image: 'web:1' } } };
      writeFileSync(join(root, 'compose.yaml'), JSON.stringify(compose));
      const env = environment(running, true);
      const run = (...args: string[]): Promise<Outcome> => execute(docker, args, { timeoutMs: 60_000, env });
      const out = await run('compose', '--project-directory', root, '--progress', 'plain', 'build');
      assert.equal(out.code, 0, out.stderr + out.stdout);
      const { request, files } = only(running);
      assert.deepEqual(request.outputs[0]?.names, ['web:1']);
      assert.equal(files.get('file'), 'content');
      assert.match((await run('buildx', 'du')).stdout, /Total:\s+2kB/);
      assert.match((await run('buildx', 'prune', '-f')).stdout, /Total:\s+2kB/);
    });
  });
});

test('docker-compose 1.29 build', { skip: noRoot ?? (typeof python === 'string' ? python : false) }, async () => {
  await withServer({}, async (running) => {
    const root = folderOf(running, { Dockerfile: 'FROM busybox\nRUN echo played\nARG A\n', file: 'content' });
    const compose = {
      version: '2.4',
      services: { web: { build: { context: '.', args: { A: '1' }, labels: { l: 'v' } }, image: 'web:1' } },
    };
    writeFileSync(join(root, 'docker-compose.yml'), JSON.stringify(compose));
    const { python: program, compose: script, env } = typeof python === 'string' ? assert.fail(python) : python;
    const run = (...args: string[]): Promise<Outcome> =>
      execute(program, [script, '--ansi', 'never', ...args], {
        cwd: root,
        timeoutMs: 60_000,
        env: { ...environment(running, false), ...env, COMPOSE_DOCKER_CLI_BUILD: '0' },
      });
    const out = await run('build');
    assert.equal(out.code, 0, out.stderr + out.stdout);
    assert.match(out.stdout, /Step 2\/4 : RUN echo played\n ---> Running in \w{12}\nplayed\n/);
    assert.match(out.stdout, /Successfully built \w{12}\nSuccessfully tagged web:1\n/);
    const { request, files } = only(running);
    assert.equal(files.get('file'), 'content');
    assert.deepEqual(
      [...request.buildArgs, ...request.labels],
      [
        ['A', '1'],
        ['l', 'v'],
      ],
    );
    writeFileSync(join(root, 'Dockerfile'), 'FROM busybox\nRUN exit 7\n');
    const failed = await run('build');
    assert.notEqual(failed.code, 0);
    assert.match(failed.stderr, /The command '\/bin\/sh -c exit 7' returned a non-zero code: 7/);
  });
});

test('dockerode buildImage', { skip: noRoot ?? false }, async () => {
  await withServer({}, async (running) => {
    const root = folderOf(running, { Dockerfile: 'FROM busybox\nRUN echo played\n', file: 'content' });
    const client = new Dockerode({ socketPath: running.path });
    const follow = (stream: NodeJS.ReadableStream): Promise<ProgressMessage[]> =>
      new Promise((resolve, reject) => {
        client.modem.followProgress(stream, (error, output: ProgressMessage[]) =>
          error === null ? resolve(output) : reject(error),
        );
      });
    const options = { t: 'x:1', buildargs: { A: '1' } };
    const output = await follow(await client.buildImage({ context: root, src: ['Dockerfile', 'file'] }, options));
    assert.match(output.map(({ stream }) => stream ?? '').join(''), /played\n.*Successfully tagged x:1\n$/s);
    const [image] = output.flatMap(({ aux }) => (aux === undefined ? [] : [aux as { ID: string }]));
    assert.match(image?.ID ?? '', /^sha256:/);
    assert.equal(only(running).files.get('file'), 'content');
    folderOf(running, { Dockerfile: 'FROM busybox\nRUN exit 7\n' });
    const failed = await follow(await client.buildImage({ context: root, src: ['Dockerfile'] }, {}));
    assert.equal(failed.at(-1)?.errorDetail?.code, 7);
    folderOf(running, { Dockerfile: 'BOGUS\n' });
    await assert.rejects(client.buildImage({ context: root, src: ['Dockerfile'] }, {}), { statusCode: 400 });
  });
});
