import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { noLimits, openSteps, unusable } from '../../test/support/steps.ts';
import { cgroupFolders } from '../linux/index.ts';
import { runStep, type StepContext, stepDirectory, type StepRequest, type StepResult } from './step.ts';
import { clearSteps } from './step-leftovers.ts';
import type { StepMount } from './step-mounts.ts';

const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
const skip =
  process.getuid?.() !== 0
    ? 'needs root (namespaces, mounts)'
    : busybox === undefined
      ? 'needs a static busybox (package busybox-static)'
      : false;

interface Fixture extends AsyncDisposable {
  root: string;
  rootfs: string;
  context: StepContext;
  run(
    script: string,
    more?: Partial<StepRequest>,
    signal?: AbortSignal,
  ): Promise<StepResult & { stdout: string; stderr: string }>;
  /** What a step with this id left: cgroups, mounts, files. */
  traces(id: string): string[];
}

const live = new AbortController().signal;

async function open(runtimeName: string): Promise<Fixture> {
  const root = mkdtempSync(join(tmpdir(), 'wherry-step-'));
  const rootfs = join(root, 'rootfs');
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'dev', 'sys']) mkdirSync(join(rootfs, name), { recursive: true });
  copyFileSync(busybox!, join(rootfs, 'bin/busybox'));
  chmodSync(join(rootfs, 'bin/busybox'), 0o755);
  for (const name of [
    'sh',
    'cat',
    'id',
    'ls',
    'sleep',
    'hostname',
    'ip',
    'echo',
    'grep',
    'stat',
    'mkdir',
    'seq',
    'touch',
  ])
    symlinkSync('busybox', join(rootfs, 'bin', name));
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n');
  utimesSync(join(rootfs, 'etc'), 1000, 1000);
  const steps = await openSteps(root, runtimeName);
  const { context, cgroups, cgroupParent } = steps;
  let count = 0;
  return {
    root,
    rootfs,
    context,
    async run(script, more = {}, signal = live) {
      const text = { stdout: '', stderr: '' };
      const result = await runStep(
        context,
        {
          id: `step${count++}`,
          rootfs,
          remount: () => assert.fail('without a mapping it stays as it is'),
          args: ['/bin/sh', '-c', script],
          env: ['PATH=/bin'],
          workingDir: '/',
          user: '',
          hostname: 'buildkitsandbox',
          network: 'none',
          extraHosts: [],
          limits: noLimits,
          insecure: false,
          mounts: [],
          output: (stream, data) => {
            text[stream] += Buffer.from(data).toString();
          },
          ...more,
        },
        signal,
      );
      return { ...result, ...text };
    },
    traces: (id) => [
      ...cgroupFolders(cgroups, `${cgroupParent}/${id}`).filter((folder) => existsSync(folder)),
      ...readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .filter((line) => line.includes(`/steps/${id}`)),
      ...(existsSync(stepDirectory(context, id)) ? [stepDirectory(context, id)] : []),
      ...(existsSync(join(root, 'runtime', id)) ? [join(root, 'runtime', id)] : []),
      ...(existsSync(join(root, 'run/sandboxes', `${id}.json`)) ? ['sandbox'] : []),
    ],
    async [Symbol.asyncDispose]() {
      await steps.close();
      const left = readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .filter((line) => line.includes(root) && !line.includes('/netns/'));
      rmSync(root, { recursive: true, force: true });
      assert.deepEqual(left, []);
    },
  };
}

for (const name of ['crun', 'runc']) {
  const missing = skip || unusable(name);
  describe(`a build step under ${name}`, { skip: missing, timeout: 60_000 }, () => {
    test('runs with its words, environment, folder and user, and hands on output and exit code', async () => {
      await using fixture = await open(name);
      const result = await fixture.run('id -u; id -g; echo $A; pwd; hostname; echo bad >&2; exit 7', {
        env: ['PATH=/bin', 'A=b c'],
        user: 'web',
        workingDir: '/made/here',
      });
      assert.deepEqual(result, {
        exitCode: 7,
        failure: undefined,
        stdout: '33\n44\nb c\n/made/here\nbuildkitsandbox\n',
        stderr: 'bad\n',
      });
      assert.deepEqual(fixture.traces('step0'), []);
    });

    test('what cannot be executed says so, with the exit code of a shell', async () => {
      await using fixture = await open(name);
      const result = await fixture.run('', { args: ['/no/such'] });
      assert.equal(result.exitCode, 127);
      assert.match(result.failure ?? '', /exec: "\/no\/such": stat \/no\/such: no such file or directory/);
      assert.equal(result.stdout + result.stderr, '');
      assert.deepEqual(fixture.traces('step0'), []);
    });

    test('a mount point that was not there goes again, with the times of its folder', async () => {
      await using fixture = await open(name);
      const { rootfs } = fixture;
      const mounts: StepMount[] = [{ type: 'tmpfs', target: '/new/deep', size: 4096 }];
      const before = statSync(join(rootfs, 'etc')).mtimeMs;
      assert.equal((await fixture.run('echo x > /new/deep/f && cat /etc/hosts', { mounts })).exitCode, 0);
      assert.deepEqual(readdirSync(join(rootfs, 'etc')), ['passwd']);
      assert.equal(statSync(join(rootfs, 'etc')).mtimeMs, before);
      assert.equal(existsSync(join(rootfs, 'new')), false);
      assert.equal((await fixture.run('touch /etc/kept')).exitCode, 0);
      assert.deepEqual(readdirSync(join(rootfs, 'etc')).sort(), ['kept', 'passwd']);
      assert.notEqual(statSync(join(rootfs, 'etc')).mtimeMs, before);
    });

    test('mounts: a bind that can only be read, one that can be written, a secret in memory', async () => {
      await using fixture = await open(name);
      const lent = join(fixture.root, 'lent');
      mkdirSync(join(lent, 'in'), { recursive: true });
      writeFileSync(join(lent, 'in/file'), 'lent');
      const secret: StepMount = {
        type: 'file',
        target: '/run/secrets/key',
        content: Buffer.from('hush'),
        mode: 0o440,
        uid: 33,
        gid: 44,
      };
      const script =
        'cat /ro/file /one /run/secrets/key; (echo x > /ro/new) 2>&1 | grep -o Read-only; echo new > /rw/new; stat -c %a:%u:%g /run/secrets/key; (echo x > /run/secrets/key) 2>&1 | grep -o Read-only';
      const result = await fixture.run(script, {
        mounts: [
          { type: 'bind', target: '/ro', root: lent, source: '/in', readOnly: true },
          { type: 'bind', target: '/one', root: lent, source: '/in/file', readOnly: true },
          { type: 'bind', target: '/rw', root: lent, source: '/', readOnly: false },
          secret,
        ],
      });
      assert.equal(result.stdout, 'lentlenthushRead-only\n440:33:44\nRead-only\n');
      assert.equal(readFileSync(join(lent, 'new'), 'utf8'), 'new\n');
      assert.deepEqual(fixture.traces('step0'), []);
      assert.equal(existsSync(join(fixture.rootfs, 'run')), false);
    });

    test("a bind's links lead inside its own tree, and what is not there is refused", async () => {
      await using fixture = await open(name);
      const lent = join(fixture.root, 'lent');
      mkdirSync(lent);
      symlinkSync('/etc', join(lent, 'out'));
      symlinkSync('../../../../etc/hostname', join(lent, 'up'));
      for (const source of ['/out', '/up', '/../../etc', '/gone']) {
        const mounts: StepMount[] = [{ type: 'bind', target: '/m', root: lent, source, readOnly: true }];
        await assert.rejects(fixture.run('ls /m', { mounts }), { kind: 'invalid', message: /not found/ });
      }
      assert.deepEqual(fixture.traces('step0'), []);
    });

    test("mount points follow the root's links inside it, dangling ones too", async () => {
      await using fixture = await open(name);
      symlinkSync('/../../run/resolve/stub.conf', join(fixture.rootfs, 'etc/resolv.conf'));
      const result = await fixture.run('grep nameserver /etc/resolv.conf');
      assert.equal(result.stdout, 'nameserver 192.0.2.53\n');
      assert.equal(existsSync(join(fixture.rootfs, 'run')), false);
      assert.ok(lstatSync(join(fixture.rootfs, 'etc/resolv.conf')).isSymbolicLink());
    });

    test('networks: one of its own, none, and the host; extra hosts', async () => {
      await using fixture = await open(name);
      const own = await fixture.run(
        'ip -o -4 addr show; cat /etc/hosts; cat /proc/sys/net/ipv4/ip_unprivileged_port_start',
        {
          network: 'default',
          extraHosts: ['db:10.1.2.3', 'six:[fd00::1]', 'gate:host-gateway'],
        },
      );
      assert.match(own.stdout, /eth0 +inet 10\./);
      assert.match(own.stdout, /^10\.1\.2\.3\tdb\nfd00::1\tsix\n192\.0\.2\.1\tgate\n0$/m);
      const none = await fixture.run('ip -o link | grep -c .', { network: 'none' });
      assert.equal(none.stdout, '1\n');
      const host = await fixture.run('stat -Lc %i /proc/self/ns/net', { network: 'host' });
      assert.equal(host.stdout.trim(), String(statSync('/proc/self/ns/net').ino));
      await assert.rejects(fixture.run('', { network: 'nowhere' }), { kind: 'not-found' });
      for (const id of ['step0', 'step1', 'step2', 'step3']) assert.deepEqual(fixture.traces(id), []);
    });

    test('confined unless it is told otherwise', async () => {
      await using fixture = await open(name);
      const script =
        'grep -E "^(CapEff|Seccomp):" /proc/self/status; ls /proc/kcore >/dev/null; echo 1 > /proc/sys/kernel/ngroups_max 2>/dev/null || echo refused';
      const confined = await fixture.run(script);
      assert.match(confined.stdout, /CapEff:\t00000000a80[0-9a-f]{5}\nSeccomp:\t2\nrefused\n/);
      const insecure = await fixture.run('grep -E "^Seccomp:" /proc/self/status', { insecure: true });
      assert.equal(insecure.stdout, 'Seccomp:\t0\n');
    });

    test('limits: memory, open files, shared memory', async () => {
      await using fixture = await open(name);
      const result = await fixture.run(
        'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; ulimit -n; grep /dev/shm /proc/mounts',
        {
          limits: {
            ...noLimits,
            memory: 67_108_864,
            shmSize: 8_388_608,
            ulimits: [{ Name: 'nofile', Soft: 55, Hard: 66 }],
          },
        },
      );
      assert.match(result.stdout, /^67108864\n55\nshm .*size=8192k/);
    });

    test('output waits for whoever takes it, and all of it comes', async () => {
      await using fixture = await open(name);
      let bytes = 0;
      let busy = 0;
      await fixture.run('seq 1 60000', {
        output: async (_stream, data) => {
          assert.equal(busy++, 0);
          await sleep(1);
          bytes += data.length;
          busy--;
        },
      });
      assert.equal(bytes, Array.from({ length: 60_000 }, (_, n) => `${n + 1}\n`).join('').length);
    });

    test('cancelled: everything it runs is killed, and nothing is left', async () => {
      await using fixture = await open(name);
      const reason = new Error('the client is gone');
      const cancel = new AbortController();
      const started = Promise.withResolvers<void>();
      const running = fixture.run(
        'sleep 300 & echo up; sleep 300',
        {
          network: 'default',
          mounts: [{ type: 'file', target: '/s', content: Buffer.from('s'), mode: 0o400, uid: 0, gid: 0 }],
          output: () => started.resolve(),
        },
        cancel.signal,
      );
      await Promise.race([started.promise, running]);
      assert.ok(fixture.traces('step0').includes('sandbox'));
      cancel.abort(reason);
      await assert.rejects(running, reason);
      assert.deepEqual(fixture.traces('step0'), []);
      await assert.rejects(fixture.run('', {}, cancel.signal), reason);
    });

    test('cancelled while the runtime is still at work', async () => {
      await using fixture = await open(name);
      for (const [index, delay] of [0, 1, 3, 8, 20].entries()) {
        const cancel = new AbortController();
        const running = fixture.run('sleep 300', { network: 'none' }, cancel.signal);
        const refused = assert.rejects(running);
        await sleep(delay);
        cancel.abort(new Error('gone'));
        await refused;
        assert.deepEqual(fixture.traces(`step${index}`), []);
      }
    });

    test('what a killed daemon left of a step is ended and cleared', async () => {
      await using fixture = await open(name);
      const started = Promise.withResolvers<void>();
      const running = fixture.run('echo up; sleep 300', {
        mounts: [{ type: 'file', target: '/s', content: Buffer.from('s'), mode: 0o400, uid: 0, gid: 0 }],
        output: () => started.resolve(),
      });
      await Promise.race([started.promise, running]);
      await clearSteps(fixture.context);
      // Its end is seen here only because this daemon was not killed.
      assert.notEqual((await running).exitCode, 0);
      assert.deepEqual(fixture.traces('step0'), []);
      assert.equal(existsSync(join(fixture.rootfs, 's')), false);
    });
  });
}
