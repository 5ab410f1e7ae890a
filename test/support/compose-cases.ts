/** What `wherry compose` does with projects, on any engine: run on Wherry and on the reference dockerd. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ComposeProject, type Place, type Tool } from './compose-project.ts';
import type { ScenarioOptions } from './daemon.ts';
import { type Docker, until } from './docker.ts';

export interface ComposeHost {
  readonly place: () => Place;
  readonly docker: () => Docker;
  readonly scenario: (name: string, body: () => Promise<void>, options?: ScenarioOptions) => void;
  /** Why docker compose is not here. */
  readonly noDockerCompose: string | undefined;
}

const sleeper = `image: busybox
    init: true
    command: sleep 1000
    stop_grace_period: 1s`;

const healthy = `healthcheck:
      test: test -f /tmp/up
      interval: 1s
      start_period: 20s
      start_interval: 100ms`;

const webAndStore = `
services:
  store:
    image: busybox
    init: true
    command: sh -c 'touch /tmp/up; exec sleep 1000'
    stop_grace_period: 1s
    ${healthy}
    volumes: [data:/data]
  web:
    ${sleeper}
    depends_on:
      store: { condition: service_healthy, restart: true }
    environment: { GREETING: hello }
volumes:
  data: {}
`;

export function composeCases({ place, docker, scenario, noDockerCompose }: ComposeHost): void {
  const open = (name: string, yaml: string): ComposeProject & AsyncDisposable => {
    const project = new ComposeProject(place(), name, yaml);
    const close = async (): Promise<void> => {
      const { code, stderr } = await project.run('wherry', ['down', '-v', '-t', '0', '--remove-orphans']);
      if (code !== 0) await docker().run(['ps', '-aq', '--filter', `label=com.docker.compose.project=${name}`]);
      assert.equal(code, 0, stderr);
    };
    return Object.assign(project, { [Symbol.asyncDispose]: close });
  };
  const idOf = async (name: string): Promise<string> => (await docker().ok('inspect', '-f', '{{.Id}}', name)).trim();
  const inspect = (name: string, format: string): Promise<string> => docker().ok('inspect', '-f', format, name);
  const stateOf = (name: string): Promise<string> => inspect(name, '{{.State.Status}}');

  scenario(
    'up waits for health in the order of dependencies; again, nothing changes; down leaves nothing',
    async () => {
      await using project = open('updown', webAndStore);
      const dry = await project.out('up', '--dry-run');
      assert.match(dry, /create +Container updown-store-1 +because it is not there/);
      assert.match(dry, /wait +Service store +because web depends on it/);
      assert.match(dry, /nothing is changed/);
      assert.equal(await docker().ok('ps', '-aq', '--filter', 'label=com.docker.compose.project=updown'), '');
      const said = await project.ok('up', '-d', '--wait');
      assert.ok(
        said.indexOf('Container updown-store-1  Healthy') < said.indexOf('Container updown-web-1  Starting'),
        said,
      );
      const ids = [await idOf('updown-store-1'), await idOf('updown-web-1')];
      assert.match(await project.ok('up', '-d'), /Nothing changes/);
      assert.match(await project.out('up', '--dry-run'), /Nothing would change/);
      assert.deepEqual([await idOf('updown-store-1'), await idOf('updown-web-1')], ids);
      assert.match(await project.out('ps'), /updown-web-1 +busybox .* web .* Up /);
      assert.equal(await project.out('exec', '-T', 'web', 'sh', '-c', 'echo $GREETING'), 'hello');
      assert.equal(await project.out('config', '--services'), 'store\nweb');
      const down = await project.ok('down', '-v');
      assert.ok(
        down.indexOf('Container updown-web-1  Removed') < down.indexOf('Container updown-store-1  Stopping'),
        down,
      );
      assert.equal(await docker().ok('volume', 'ls', '-q', '--filter', 'label=com.docker.compose.project=updown'), '');
      assert.equal(await docker().ok('network', 'ls', '-q', '--filter', 'label=com.docker.compose.project=updown'), '');
      assert.match(await project.ok('down'), /No resource found to remove/);
    },
  );

  for (const [first, second] of [
    ['wherry', 'docker'],
    ['docker', 'wherry'],
  ] as const satisfies [Tool, Tool][])
    scenario(
      `${second} compose manages what ${first} compose started`,
      async () => {
        const name = `both-${first}`;
        await using project = open(name, webAndStore);
        await project.okBy(first, 'up', '-d', '--wait');
        const ids = [await idOf(`${name}-store-1`), await idOf(`${name}-web-1`)];
        assert.match(await project.okBy(second, 'ps'), new RegExp(`${name}-web-1 .*Up`));
        assert.match(await project.okBy(second, 'ls'), new RegExp(`${name} +running\\(2\\)`));
        await project.okBy(second, 'up', '-d', '--wait');
        assert.deepEqual([await idOf(`${name}-store-1`), await idOf(`${name}-web-1`)], ids, 'nothing is made anew');
        await project.okBy(second, 'stop', 'web');
        assert.equal(await stateOf(`${name}-web-1`), 'exited');
        await project.okBy(first, 'start');
        assert.equal(await stateOf(`${name}-web-1`), 'running');
        await project.okBy(second, 'restart', '-t', '0', 'web');
        await project.okBy(second, 'up', '-d', '--scale', 'web=2');
        assert.equal(await stateOf(`${name}-web-2`), 'running');
        // One that the other tool sees changed, it makes anew, and the first sees it as its own again.
        project.write('compose.yaml', webAndStore.replace('hello', 'changed'));
        await project.okBy(second, 'up', '-d');
        assert.equal(await idOf(`${name}-store-1`), ids[0]);
        const changed = await project.out('ps', '-q', 'web');
        assert.notEqual(changed, ids[1]);
        await project.okBy(first, 'up', '-d');
        assert.equal(await project.out('ps', '-q', 'web'), changed);
        await project.okBy(second, 'down', '-v', '-t', '0');
        assert.equal(await docker().ok('ps', '-aq', '--filter', `label=com.docker.compose.project=${name}`), '');
      },
      { skip: noDockerCompose, timeoutMs: 120_000 },
    );

  scenario('a dependency that fails is named with its exit code, what it said, and how all are', async () => {
    await using project = open(
      'failing',
      `
services:
  migrate:
    image: busybox
    command: sh -c 'echo no such table; exit 3'
  api:
    ${sleeper}
    depends_on: { migrate: { condition: service_completed_successfully } }
  sick:
    image: busybox
    init: true
    command: sh -c 'echo I am ill; exec sleep 1000'
    stop_grace_period: 1s
    healthcheck: { test: "echo out of cheese; false", interval: 200ms, retries: 2 }
  patient:
    ${sleeper}
    depends_on: { sick: { condition: service_healthy } }
  relaxed:
    ${sleeper}
    depends_on: { migrate: { condition: service_completed_successfully, required: false } }
`,
    );
    const failed = await project.fails('up', '-d', 'api');
    assert.match(failed, /service "migrate" didn't complete successfully: exit 3/);
    assert.match(failed, /no such table/);
    assert.match(failed, /The project's containers now:\n +api-1 +Created\n +migrate-1 +Exited \(3\)/);
    const ill = await project.fails('up', '-d', 'patient');
    assert.match(ill, /dependency failed to start: container failing-sick-1 is unhealthy/);
    assert.match(ill, /out of cheese/);
    assert.match(ill, /I am ill/);
    const relaxed = await project.ok('up', '-d', 'relaxed');
    assert.match(relaxed, /optional dependency/);
    assert.equal(await stateOf('failing-relaxed-1'), 'running');
  });

  scenario('what changed is made anew, with its anonymous volumes, and nothing else', async () => {
    const file = (value: string): string => `
services:
  keep:
    ${sleeper}
  change:
    ${sleeper}
    environment: { VALUE: "${value}" }
    volumes: [/anonymous, named:/named]
  follow:
    ${sleeper}
    depends_on: { change: { condition: service_started, restart: true } }
volumes: { named: {} }
`;
    await using project = open('recreate', file('1'));
    await project.ok('up', '-d');
    await project.ok('exec', '-T', 'change', 'sh', '-c', 'echo kept > /anonymous/file; echo named > /named/file');
    const [kept, changed, followed] = await Promise.all(
      ['keep', 'change', 'follow'].map((name) => idOf(`recreate-${name}-1`)),
    );
    const begun = await inspect('recreate-follow-1', '{{.State.StartedAt}}');
    project.write('compose.yaml', file('2'));
    assert.match(
      await project.out('up', '--dry-run'),
      /recreate +Container recreate-change-1 +because its configuration changed/,
    );
    await project.ok('up', '-d');
    assert.equal(await idOf('recreate-keep-1'), kept);
    assert.notEqual(await idOf('recreate-change-1'), changed);
    assert.equal(await idOf('recreate-follow-1'), followed, 'a dependent is restarted, not made anew');
    assert.notEqual(await inspect('recreate-follow-1', '{{.State.StartedAt}}'), begun);
    assert.equal(await project.out('exec', '-T', 'change', 'cat', '/anonymous/file', '/named/file'), 'kept\nnamed');
    await project.ok('up', '-d', '-V', 'change');
    assert.equal(await project.out('exec', '-T', 'change', 'ls', '/anonymous'), '');
    const forced = await idOf('recreate-keep-1');
    await project.ok('up', '-d', '--force-recreate', '--no-deps', 'keep');
    assert.notEqual(await idOf('recreate-keep-1'), forced);
    project.write('compose.yaml', file('3'));
    const before = await idOf('recreate-change-1');
    await project.ok('up', '-d', '--no-recreate');
    assert.equal(await idOf('recreate-change-1'), before);
  });

  scenario('a network or volume with another configuration is made anew, with those who use it', async () => {
    const file = (network: string, volume: string): string => `
services:
  app:
    ${sleeper}
    networks: { inner: { aliases: [other] } }
    volumes: [data:/data]
networks:
  inner: { labels: { version: "${network}" } }
volumes:
  data: { labels: { version: "${volume}" } }
`;
    await using project = open('renew', file('1', '1'));
    await project.ok('up', '-d');
    await project.ok('exec', '-T', 'app', 'sh', '-c', 'echo there > /data/file');
    project.write('compose.yaml', file('2', '1'));
    await project.ok('up', '-d');
    assert.equal(await docker().ok('network', 'inspect', '-f', '{{.Labels.version}}', 'renew_inner'), '2');
    assert.match(await inspect('renew-app-1', '{{json .NetworkSettings.Networks.renew_inner.Aliases}}'), /"other"/);
    assert.equal(await project.out('exec', '-T', 'app', 'cat', '/data/file'), 'there');
    project.write('compose.yaml', file('2', '2'));
    const refused = await project.run('wherry', ['up', '-d'], { input: 'n\n' });
    assert.equal(refused.code, 0, refused.stderr);
    assert.match(refused.stdout + refused.stderr, /Volume "renew_data" exists but doesn't match configuration/);
    assert.equal(await project.out('exec', '-T', 'app', 'cat', '/data/file'), 'there');
    await project.ok('up', '-d', '-y');
    assert.equal(await docker().ok('volume', 'inspect', '-f', '{{.Labels.version}}', 'renew_data'), '2');
    assert.equal(await project.out('exec', '-T', 'app', 'ls', '/data'), '');
  });

  scenario('scale keeps the lowest numbers; orphans and profiles', async () => {
    await using project = open(
      'scaled',
      `
services:
  worker:
    ${sleeper}
    scale: 2
  extra:
    ${sleeper}
    profiles: [more]
`,
    );
    await project.ok('up', '-d');
    await project.ok('scale', 'worker=3');
    await docker().ok('rm', '-f', 'scaled-worker-2');
    await project.ok('up', '-d', '--scale', 'worker=3');
    const names = async (): Promise<string[]> => (await project.out('ps', '--format', '{{.Name}}')).split('\n');
    assert.deepEqual(await names(), ['scaled-worker-1', 'scaled-worker-3', 'scaled-worker-4']);
    await project.ok('up', '-d', '--scale', 'worker=1');
    assert.deepEqual(await names(), ['scaled-worker-1']);
    await project.ok('--profile', 'more', 'up', '-d');
    assert.deepEqual(await names(), ['scaled-extra-1', 'scaled-worker-1', 'scaled-worker-2']);
    project.write('compose.yaml', `services:\n  worker:\n    ${sleeper}\n`);
    assert.match(await project.ok('up', '-d'), /Found orphan containers \(\[scaled-extra-1\]\)/);
    await project.ok('up', '-d', '--remove-orphans');
    assert.deepEqual(await names(), ['scaled-worker-1']);
    project.write('compose.yaml', `services:\n  worker:\n    ${sleeper}\n    container_name: one\n`);
    assert.match(await project.fails('up', '-d', '--scale', 'worker=2'), /custom container name "one"/);
  });

  scenario('secrets and configs: from files, variables and the file itself, with owner and mode', async () => {
    await using project = open(
      'files',
      `
services:
  app:
    ${sleeper}
    secrets:
      - from-file
      - { source: from-variable, target: renamed, uid: "33", gid: "44", mode: 0400 }
    configs:
      - { source: written, target: /etc/app/config.ini }
      - { source: owned, target: /owned, uid: "7", mode: 0640 }
secrets:
  from-file: { file: ./secret.txt }
  from-variable: { environment: TOKEN }
configs:
  written:
    content: |
      port=\${PORT:-80}
  owned: { file: ./secret.txt }
`,
    );
    project.write('secret.txt', 'hush');
    const { code, stderr } = await project.run('wherry', ['up', '-d'], { env: { TOKEN: 't0ken' } });
    assert.equal(code, 0, stderr);
    const inside = (command: string): Promise<string> => project.out('exec', '-T', 'app', 'sh', '-c', command);
    assert.equal(await inside('cat /run/secrets/from-file'), 'hush');
    assert.equal(await inside('cat /run/secrets/renamed; stat -c " %u %g %a" /run/secrets/renamed'), 't0ken 33 44 400');
    assert.equal(await inside('cat /etc/app/config.ini; stat -c "%a" /etc/app/config.ini'), 'port=80\n444');
    assert.equal(await inside('cat /owned; stat -c " %u %a" /owned'), 'hush 7 640');
    assert.doesNotMatch(await project.out('config'), /t0ken/);
    assert.match(
      await project.fails('up', '-d', '--force-recreate'),
      /"TOKEN" required by secret "files_from-variable" is not set/,
    );
  });

  scenario('hooks run after a start and before a stop, and a failing one fails it', async () => {
    await using project = open(
      'hooks',
      `
services:
  app:
    ${sleeper}
    volumes: [log:/log]
    post_start:
      - { command: sh -c 'echo started as $$(id -u) in $$(pwd) $$WORD > /log/start', user: "5", working_dir: /tmp, environment: [WORD=x] }
    pre_stop:
      - command: [touch, /log/stop]
  broken:
    ${sleeper}
    post_start: [{ command: sh -c 'echo cannot; exit 4' }]
volumes: { log: {} }
`,
    );
    await docker().ok('run', '--rm', '-v', 'hooks_log:/log', 'busybox', 'chmod', '777', '/log');
    await project.ok('up', '-d', 'app');
    assert.equal(await project.out('exec', '-T', 'app', 'cat', '/log/start'), 'started as 5 in /tmp x');
    await project.ok('stop', 'app');
    await project.ok('start', 'app');
    assert.equal(await project.out('exec', '-T', 'app', 'ls', '/log'), 'start\nstop');
    assert.match(await project.fails('up', '-d', 'broken'), /broken hook exited with status 4\n +cannot/);
  });

  scenario('networks: aliases, fixed addresses, priorities, external ones, shared namespaces', async () => {
    await using project = open(
      'nets',
      `
services:
  a:
    ${sleeper}
    hostname: alpha
    networks:
      front: { aliases: [first], ipv4_address: 10.239.7.9, priority: 10 }
      back: {}
    extra_hosts: ["me=host-gateway", "fixed:10.0.0.9"]
  b:
    ${sleeper}
    network_mode: service:a
    pid: service:a
  c:
    ${sleeper}
    networks: [inside]
    links: [a:friend]
    depends_on: [b]
networks:
  front: { ipam: { config: [{ subnet: 10.239.7.0/24 }] } }
  back: {}
  inside: { internal: true }
`,
    );
    await project.ok('up', '-d');
    assert.equal(await inspect('nets-a-1', '{{.NetworkSettings.Networks.nets_front.IPAddress}}'), '10.239.7.9');
    assert.match(await inspect('nets-a-1', '{{json .NetworkSettings.Networks.nets_front.Aliases}}'), /"first"/);
    assert.match(await inspect('nets-a-1', '{{json .NetworkSettings.Networks.nets_back.Aliases}}'), /"a"/);
    assert.equal(await inspect('nets-b-1', '{{.HostConfig.NetworkMode}}'), `container:${await idOf('nets-a-1')}`);
    assert.equal(await project.out('exec', '-T', 'b', 'hostname'), 'alpha');
    assert.match(await project.out('exec', '-T', 'a', 'cat', '/etc/hosts'), /10\.0\.0\.9\tfixed/);
    assert.equal(await docker().ok('network', 'inspect', '-f', '{{.Internal}}', 'nets_inside'), 'true');
    // A container whose namespace others share takes them along when it is made anew.
    const shared = await idOf('nets-b-1');
    await project.ok('up', '-d', '--force-recreate', 'a');
    await project.ok('up', '-d');
    assert.notEqual(await idOf('nets-b-1'), shared);
    assert.equal(await inspect('nets-b-1', '{{.HostConfig.NetworkMode}}'), `container:${await idOf('nets-a-1')}`);
    project.write(
      'other/compose.yaml',
      `services:\n  x:\n    ${sleeper}\n    networks: [gone]\nnetworks:\n  gone: { external: true, name: no-such-net }\n`,
    );
    const missing = await project.run('wherry', ['-f', 'other/compose.yaml', '-p', 'nets-other', 'up', '-d']);
    assert.equal(missing.code, 1);
    assert.match(
      missing.stderr,
      /network no-such-net declared as external, but could not be found\nMake it with 'wherry network create no-such-net'/,
    );
  });

  scenario('run: a one-off container with its exit code, its own name, and what it depends on', async () => {
    await using project = open(
      'once',
      `
services:
  db:
    ${sleeper}
  app:
    image: busybox
    depends_on: [db]
    environment: { A: file }
    ports: ["127.0.0.1::80"]
    restart: always
`,
    );
    assert.equal(
      await project.out('run', '--rm', '-T', 'app', 'sh', '-c', 'echo $A; cat /etc/hostname | wc -c'),
      'file\n13',
    );
    assert.equal(await stateOf('once-db-1'), 'running');
    const { code } = await project.run('wherry', ['run', '--rm', '-T', '--no-deps', 'app', 'sh', '-c', 'exit 7']);
    assert.equal(code, 7);
    assert.equal(
      await project.out('run', '--rm', '-T', '-e', 'A=given', '--entrypoint', "sh -c 'echo $A $0'", 'app', 'word'),
      'given word',
    );
    const piped = await project.run('wherry', ['run', '--rm', '-T', 'app', 'cat'], { input: 'through' });
    assert.equal(piped.stdout, 'through');
    const id = await project.out('run', '-d', '--name', 'named', '-P', 'app', 'sleep', '100');
    assert.equal(await inspect(id, '{{index .Config.Labels "com.docker.compose.oneoff"}}'), 'True');
    assert.equal(await inspect(id, '{{.HostConfig.RestartPolicy.Name}}'), 'no');
    assert.match(await docker().ok('port', 'named'), /80\/tcp -> 127\.0\.0\.1:/);
    assert.equal(await project.out('ps', '-q', 'app'), '');
    assert.equal(await project.out('ps', '-aq', 'app'), id);
    await docker().ok('rm', '-f', 'named');
  });

  scenario('up in the foreground shows all output; Ctrl-C stops, twice kills', async () => {
    await using project = open(
      'front',
      `
services:
  talker:
    image: busybox
    init: true
    command: sh -c 'echo one; echo two >&2; exec sleep 1000'
  stubborn:
    image: busybox
    command: sh -c 'trap "" TERM; echo ready; while true; do sleep 1; done'
    stop_grace_period: 60s
`,
    );
    const up = await project.start('wherry', ['up']);
    await up.saw(/stubborn-1 {2}\| ready/);
    await up.saw(/talker-1 {4}\| one/);
    await up.saw(/talker-1 {4}\| two/);
    assert.match(up.stdout, /Attaching to stubborn-1, talker-1/);
    up.child.kill('SIGINT');
    await up.saw(/Gracefully Stopping\.\.\. press Ctrl\+C again to force/);
    await up.saw(/talker-1 exited with code/);
    up.child.kill('SIGINT');
    assert.equal(await up.ended(), 130);
    assert.match(up.stdout, /stubborn-1 exited with code 137/);
  });

  scenario('abort-on-container-exit, exit-code-from, --no-log-prefix, --attach', async () => {
    await using project = open(
      'tests',
      `
services:
  test:
    image: busybox
    command: sh -c 'sleep 0.3; echo tested; exit 5'
  server:
    ${sleeper}
`,
    );
    const from = await project.run('wherry', ['up', '--exit-code-from', 'test', '-t', '1']);
    assert.equal(from.code, 5, from.stderr + from.stdout);
    assert.match(from.stdout, /test-1 {4}\| tested\n/);
    assert.match(from.stdout, /test-1 exited with code 5/);
    assert.equal(await stateOf('tests-server-1'), 'exited');
    const abort = await project.run('wherry', [
      'up',
      '--abort-on-container-exit',
      '--no-log-prefix',
      '--attach',
      'test',
      '-t',
      '1',
    ]);
    assert.equal(abort.code, 5);
    assert.match(abort.stdout, /^tested$/m);
    assert.match(await project.fails('up', '-d', '--abort-on-container-exit'), /--detach cannot be combined/);
  });

  scenario('logs: names, order, tail, follow through a restart', async () => {
    await using project = open(
      'logged',
      `
services:
  one: { image: busybox, init: true, command: sh -c 'for i in 1 2 3; do echo line $$i; done; exec sleep 1000', stop_grace_period: 1s }
  other: { image: busybox, command: echo short }
`,
    );
    await project.ok('up', '-d');
    await until(async () => (await project.out('logs', 'other')).includes('short'), { what: 'the log' });
    assert.match(await project.out('logs'), /^one-1 {4}\| line 1$/m);
    assert.equal(await project.out('logs', '--no-log-prefix', '-n', '1', 'one'), 'line 3');
    assert.match(await project.out('logs', '-t', '-n', '1', 'one'), /^one-1 {2}\| \d{4}-\d\d-\d\dT[\d:.]+Z line 3$/);
    await using follow = await project.start('wherry', ['logs', '-f', '-n', '0', 'one']);
    await new Promise((done) => setTimeout(done, 1500));
    await project.ok('restart', '-t', '0', 'one');
    await follow.saw(/one-1 {2}\| line 1[^]*line 3/);
  });

  scenario('the smaller verbs', async () => {
    await using project = open(
      'verbs',
      `
services:
  web:
    image: busybox
    init: true
    command: httpd -f -p 80 -h /www
    stop_grace_period: 1s
    ports: ["127.0.0.1::80"]
    volumes: [www:/www]
    scale: 1
volumes: { www: {} }
`,
    );
    assert.match(await project.ok('create'), /Container verbs-web-1 {2}Created/);
    assert.equal(await stateOf('verbs-web-1'), 'created');
    await project.ok('start');
    const events = await project.start('wherry', ['events', '--json']);
    writeFileSync(join(project.folder, 'page'), 'a page');
    await project.ok('cp', 'page', 'web:/www/page');
    await project.ok('cp', 'web:/www/page', 'back');
    const port = (await project.out('port', 'web', '80')).split(':')[1];
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/page`)).text(), 'a page');
    assert.match(await project.out('top'), /SERVICE +# +.*CMD\nweb +1 .*httpd/);
    assert.match(await project.out('images'), /verbs-web-1 +busybox +latest +linux\/amd64/);
    assert.match(await project.out('volumes'), /local +verbs_www/);
    assert.match(await project.out('stats', '--no-stream'), /verbs-web-1/);
    await project.ok('pause');
    assert.equal(await stateOf('verbs-web-1'), 'paused');
    await project.ok('unpause');
    await project.ok('kill', '-s', 'TERM');
    await until(async () => (await stateOf('verbs-web-1')) === 'exited', { what: 'its end' });
    await project.ok('start');
    const waiting = project.run('wherry', ['wait', 'web']);
    await new Promise((done) => setTimeout(done, 1000));
    await project.ok('kill');
    assert.equal((await waiting).code, 137);
    await project.ok('commit', 'web', 'verbs-committed');
    await project.ok('export', '-o', 'web.tar', 'web');
    await docker().ok('rmi', 'verbs-committed');
    assert.match(await project.ok('rm', '-f'), /Going to remove verbs-web-1/);
    assert.equal(await project.out('ps', '-aq'), '');
    await events.saw(/"action":"kill".*"service":"web"/);
    await events[Symbol.asyncDispose]();
    assert.equal(await project.out('version', '--short'), '2.40.3');
    assert.match(await project.fails('exec', '-T', 'web', 'true'), /service "web" is not running/);
  });

  scenario('a broken file changes nothing, and says where, and what was meant', async () => {
    await using project = open('broken', webAndStore);
    await project.ok('up', '-d');
    const before = [await idOf('broken-store-1'), await idOf('broken-web-1')];
    project.write('compose.yaml', webAndStore.replace('environment:', 'enviroment:').replace('hello', 'other'));
    const said = await project.fails('up', '-d');
    assert.match(said, /compose\.yaml:\d+:\d+/);
    assert.match(said, /enviroment/);
    assert.match(said, /did you mean "?environment"?/i);
    assert.deepEqual([await idOf('broken-store-1'), await idOf('broken-web-1')], before);
    project.write('compose.yaml', webAndStore);
  });

  scenario('a project by its name alone, a file on standard input, names as docker-compose 1 made them', async () => {
    await using project = open('elsewhere', webAndStore);
    const input = webAndStore.replace('services:', 'name: piped\nservices:');
    const up = await project.run('wherry', ['-f', '-', 'up', '-d', '--wait'], { input });
    assert.equal(up.code, 0, up.stderr);
    const by = (...args: string[]): Promise<string> => project.ok('-p', 'piped', ...args);
    assert.match(await by('ps'), /piped-web-1/);
    assert.match(await by('ls'), /piped +running\(2\)/);
    const stopped = await by('stop');
    assert.ok(stopped.indexOf('piped-web-1  Stopped') < stopped.indexOf('piped-store-1  Stopping'), stopped);
    const started = await by('start');
    assert.ok(started.indexOf('piped-store-1  Healthy') < started.indexOf('piped-web-1  Starting'), started);
    assert.match(await by('restart', '-t', '0', 'store'), /piped-web-1 {2}Restarting/);
    assert.match(await by('down', '-v', '-t', '0'), /Volume piped_data {2}Removed/);
    assert.equal(await docker().ok('ps', '-aq', '--filter', 'label=com.docker.compose.project=piped'), '');
    await project.ok('--compatibility', 'up', '-d', 'store');
    assert.equal(await stateOf('elsewhere_store_1'), 'running');
    project.write('more.env', 'GREETING=x\n');
    await project.ok('--env-file', 'more.env', 'up', '-d', '--no-deps', 'web');
    assert.equal(
      await inspect('elsewhere-web-1', '{{index .Config.Labels "com.docker.compose.project.environment_file"}}'),
      `${project.folder}/more.env`,
    );
  });

  scenario('watch syncs, restarts and runs commands', async () => {
    await using project = open(
      'watched',
      `
services:
  app:
    ${sleeper}
    develop:
      watch:
        - { path: ./src, target: /src, action: sync, ignore: ["*.tmp"] }
        - { path: ./conf, target: /conf, action: sync+restart }
        - { path: ./code, target: /code, action: sync+exec, exec: { command: sh -c 'cp /code/x /copied' } }
`,
    );
    for (const path of ['src/a', 'conf/c', 'code/x']) project.write(path, 'old');
    await using watch = await project.start('wherry', ['watch']);
    await watch.saw(/Watch enabled/, 30_000);
    const begun = await inspect('watched-app-1', '{{.State.StartedAt}}');
    project.write('src/sub/b', 'new');
    project.write('src/no.tmp', 'new');
    const inside = async (command: string): Promise<string> =>
      (await docker().run(['exec', 'watched-app-1', 'sh', '-c', command])).stdout.trim();
    await until(async () => (await inside('cat /src/sub/b')) === 'new', { what: 'a synced file' });
    assert.equal(await inside('ls /src/no.tmp 2>/dev/null'), '');
    project.write('code/x', 'ran');
    await until(async () => (await inside('cat /copied 2>/dev/null')) === 'ran', { what: 'a command' });
    assert.equal(await inspect('watched-app-1', '{{.State.StartedAt}}'), begun);
    project.write('conf/c', 'new');
    await until(async () => (await inspect('watched-app-1', '{{.State.StartedAt}}')) !== begun, { what: 'a restart' });
  });
}
