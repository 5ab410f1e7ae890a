/** Compose with what only Wherry does (boot = up), with builds, registries, providers, and an engine that is killed meanwhile. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { ComposeProject } from '../support/compose-project.ts';
import { sharedDaemon } from '../support/daemon.ts';
import { until } from '../support/docker.ts';
import { RegistryService } from '../support/peers.ts';

const host = await sharedDaemon();
const { scenario } = host;

function open(name: string, yaml: string): ComposeProject & AsyncDisposable {
  const project = new ComposeProject({ root: host.daemon.root, env: host.docker.env }, name, yaml);
  return Object.assign(project, {
    [Symbol.asyncDispose]: async () =>
      void (await project.ok('down', '-v', '-t', '0', '--remove-orphans', '--rmi', 'local')),
  });
}

const inspect = (name: string, format: string): Promise<string> => host.docker.ok('inspect', '-f', format, name);

scenario(
  'boot = up: after the machine restarts, services come back in the order of dependencies, waiting for health',
  async () => {
    const service = (command: string, more = ''): string => `
    image: busybox
    restart: always
    init: true
    stop_grace_period: 1s
    command: sh -c '${command}'
    ${more}`;
    await using project = open(
      'boot',
      `
services:
  web: ${service('exec sleep 1000', 'depends_on: { api: { condition: service_healthy } }')}
  api: ${service(
    'rm -f /tmp/up; sleep 0.7; touch /tmp/up; exec sleep 1000',
    `depends_on: { db: { condition: service_healthy } }
    healthcheck: { test: test -f /tmp/up, interval: 200ms, retries: 100 }`,
  )}
  db: ${service('rm -f /tmp/up; sleep 0.7; touch /tmp/up; exec sleep 1000', 'healthcheck: { test: test -f /tmp/up, interval: 200ms, retries: 100 }')}
`,
    );
    await project.ok('up', '-d', '--wait');
    const names = ['boot-db-1', 'boot-api-1', 'boot-web-1'];
    const pids = await Promise.all(names.map((name) => inspect(name, '{{.State.Pid}}')));
    // As when the power fails: the daemon first, then all that ran.
    await host.daemon.kill('SIGKILL');
    for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
    await host.daemon.start();
    const running = async (): Promise<boolean> =>
      (await Promise.all(names.map((name) => inspect(name, '{{.State.Status}}')))).every(
        (state) => state === 'running',
      );
    await until(running, { timeoutMs: 30_000, what: 'all services' });
    const [db, api, web] = await Promise.all(
      names.map(async (name) => Date.parse(await inspect(name, '{{.State.StartedAt}}'))),
    );
    assert.ok(api! - db! > 600, `api began ${api! - db!} ms after db`);
    assert.ok(web! - api! > 600, `web began ${web! - api!} ms after api`);
    assert.match(await project.ok('up', '-d'), /Nothing changes/);
  },
  { timeoutMs: 90_000 },
);

scenario(
  'the engine is killed while up runs: the next up finishes the job',
  async () => {
    const services = Array.from(
      { length: 8 },
      (_, index) => `  s${index}:
    image: busybox
    init: true
    command: sleep 1000
    stop_grace_period: 1s
    volumes: ["v${index}:/v"]
    environment: { VERSION: "$VERSION" }
    ${index > 0 ? `depends_on: [s${index - 1}]` : ''}
`,
    );
    const volumes = services.map((_, index) => `  v${index}: {}\n`).join('');
    await using project = open('killed', `services:\n${services.join('')}volumes:\n${volumes}`);
    // First while all is made, then while all is made anew, at another moment each.
    for (const [version, ms] of [
      ['1', 220],
      ['1', 420],
      ['2', 250],
      ['3', 500],
      ['4', 800],
    ] as const) {
      const up = await project.start('wherry', ['up', '-d', '-t', '1'], { env: { VERSION: version } });
      await new Promise((done) => setTimeout(done, ms));
      await host.daemon.kill('SIGKILL');
      await up.ended(20_000);
      await host.daemon.start();
      const finished = await project.run('wherry', ['up', '-d', '-t', '1'], { env: { VERSION: version } });
      assert.equal(finished.code, 0, finished.stderr);
      const shown = await host.docker.ok(
        'ps',
        '-a',
        '--filter',
        'label=com.docker.compose.project=killed',
        '--format',
        '{{.Names}} {{.State}}',
      );
      assert.deepEqual(
        shown.split('\n').toSorted(),
        services.map((_, index) => `killed-s${index}-1 running`),
        `version ${version}, killed after ${ms} ms`,
      );
      assert.match(await inspect('killed-s7-1', '{{json .Config.Env}}'), new RegExp(`VERSION=${version}`));
    }
    // Killed between the removal of one and the renaming of its successor.
    await host.docker.ok('rename', 'killed-s1-1', `${'a'.repeat(12)}_killed-s1-1`);
    await project.ok('up', '-d');
    assert.equal(await inspect('killed-s1-1', '{{.State.Running}}'), 'true');
    assert.deepEqual(await host.daemon.verify(), []);
  },
  { timeoutMs: 180_000 },
);

scenario('build: contexts, inline Dockerfiles, arguments, secrets, one image built of another', async () => {
  await using project = open(
    'built',
    `
services:
  base:
    build:
      context: ./base
      args: { WORD: "$WORD" }
    command: sleep 1
  app:
    build:
      context: .
      dockerfile_inline: |
        FROM parent
        RUN --mount=type=secret,id=token cp /run/secrets/token /token
        COPY file /file
      additional_contexts: { parent: "service:base" }
      secrets: [token]
      labels: { my: label }
      tags: [built-extra]
    init: true
    command: sleep 1000
    stop_grace_period: 1s
secrets: { token: { environment: TOKEN } }
`,
  );
  project.write('base/Dockerfile', 'FROM busybox\nARG WORD\nRUN echo $WORD > /word\n');
  project.write('file', 'one');
  const env = { WORD: 'built', TOKEN: 'hush' };
  const up = await project.run('wherry', ['up', '-d', 'app'], { env });
  assert.equal(up.code, 0, up.stderr);
  assert.match(up.stderr, /\[app /);
  assert.equal(await project.out('exec', '-T', 'app', 'cat', '/word', '/token', '/file'), 'built\nhushone');
  assert.equal(await inspect('built-app-1', '{{index .Config.Labels "my"}}'), 'label');
  assert.match(await host.docker.ok('images', '-q', 'built-extra'), /\w/);
  project.write('file', 'two');
  const rebuilt = await project.run('wherry', ['up', '-d', '--build', 'app'], { env });
  assert.equal(rebuilt.code, 0, rebuilt.stderr);
  assert.equal(await project.out('exec', '-T', 'app', 'cat', '/file'), 'two');
  project.write('base/Dockerfile', 'FROM busybox\nRUN false\n');
  const failed = await project.run('wherry', ['build', 'base'], { env });
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /Dockerfile:2/);
  await host.docker.ok('rmi', '-f', 'built-extra');
});

const registry = await RegistryService.open().catch((error: Error) => error);
after(async () => {
  if (!(registry instanceof Error)) await registry[Symbol.asyncDispose]();
});

scenario(
  'pull, push and pull policies with a registry',
  async () => {
    assert.ok(!(registry instanceof Error));
    const image = `${registry.address}/compose/app`;
    await using project = open(
      'pulled',
      `
services:
  app:
    image: ${image}
    build: .
    init: true
    command: sleep 1000
    stop_grace_period: 1s
  never: { image: ${registry.address}/compose/never, pull_policy: never, command: "true", profiles: [none] }
`,
    );
    project.write('Dockerfile', 'FROM busybox\nRUN echo 1 > /version\n');
    assert.match(await project.ok('build'), /Built/);
    assert.match(await project.ok('push'), new RegExp(`${image} {2}Pushed`));
    await host.docker.ok('rmi', '-f', image);
    assert.match(await project.ok('pull'), /app {2}Pulled/);
    assert.match(await project.ok('pull', '--policy', 'missing'), /Skipped - Image is already present locally/);
    await host.docker.ok('rmi', '-f', image);
    assert.match(await project.ok('up', '-d'), /app {2}Pulled[^]*Started/);
    const before = await inspect('pulled-app-1', '{{.Id}}');
    project.write('Dockerfile', 'FROM busybox\nRUN echo 2 > /version\n');
    await project.ok('build', '--push');
    assert.match(await project.out('up', '--dry-run'), /recreate +Container pulled-app-1 +because its image changed/);
    await project.ok('up', '-d', '--pull', 'always');
    assert.notEqual(await inspect('pulled-app-1', '{{.Id}}'), before);
    assert.equal(await project.out('exec', '-T', 'app', 'cat', '/version'), '2');
    assert.match(await project.out('config', '--resolve-image-digests', '--images'), new RegExp(image));
    assert.match(await project.out('config', '--lock-image-digests'), /@sha256:[0-9a-f]{64}/);
    assert.match(await project.fails('up', '-d', 'never'), /No such image: .*never/);
    await host.docker.ok('rmi', '-f', image);
  },
  registry instanceof Error ? { skip: registry.message } : {},
);

scenario('a provider is asked, and what it sets is seen by who depends on it', async () => {
  await using project = open(
    'provided',
    `
services:
  database:
    provider: { type: ${join(host.daemon.root, 'my-provider')}, options: { size: small } }
  app:
    image: busybox
    init: true
    command: sleep 1000
    stop_grace_period: 1s
    depends_on: [database]
`,
  );
  const program = join(host.daemon.root, 'my-provider');
  project.write(
    '../my-provider',
    `#!/bin/sh\necho "$@" >> ${project.folder}/asked\necho '{"type":"info","message":"working"}'\necho '{"type":"setenv","message":"URL=db://here"}'\n`,
  );
  chmodSync(program, 0o755);
  await project.ok('up', '-d');
  assert.equal(await project.out('exec', '-T', 'app', 'sh', '-c', 'echo $DATABASE_URL'), 'db://here');
  await project.ok('down');
  assert.equal(
    readFileSync(join(project.folder, 'asked'), 'utf8'),
    'compose --project-name=provided up --size=small database\ncompose --project-name=provided down --size=small database\n',
  );
});

scenario('use_api_socket gives a service the engine and the credentials', async () => {
  await using project = open(
    'socket',
    `
services:
  app:
    image: busybox
    init: true
    use_api_socket: true
    command: sleep 1000
    stop_grace_period: 1s
`,
  );
  await project.ok('up', '-d');
  assert.match(await project.out('exec', '-T', 'app', 'ls', '-l', '/var/run/docker.sock'), /^s/);
  assert.match(await project.out('exec', '-T', 'app', 'cat', '/run/secrets/docker/config.json'), /"auths"/);
});
