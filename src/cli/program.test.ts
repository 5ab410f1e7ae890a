/** The whole command line, in this process, at a server with an engine in memory. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { withServer } from '../../test/support/server.ts';
import { Fault } from '../std/index.ts';
import { wherry } from './fixture.ts';

describe('wherry', () => {
  test('run: output, input, exit codes', async () => {
    await withServer({}, async (place) => {
      assert.deepEqual(await wherry(place, ['run', '--rm', 'busybox', 'echo', 'hi']), {
        code: 0,
        out: 'hi\n',
        err: '',
      });
      const failing = await wherry(place, ['run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
      assert.deepEqual(failing, { code: 7, out: 'out\n', err: 'err\n' });
      assert.equal((await wherry(place, ['run', '-i', '--rm', 'busybox', 'cat'], 'to and fro')).out, 'to and fro');
      const missing = await wherry(place, ['run', '--rm', 'busybox', 'nosuch']);
      assert.equal(missing.code, 127);
      assert.match(
        missing.err,
        /^wherry: Error response from daemon: .*executable file not found in \$PATH: unknown\n\nRun 'wherry run --help' for more information\n$/,
      );
      const pulled = await wherry(place, ['run', '--rm', 'nosuchimage']);
      assert.equal(pulled.code, 125);
      assert.match(pulled.err, /^Unable to find image 'nosuchimage:latest' locally\nwherry: .*manifest unknown/);
    });
  });

  test('the life of a container', async () => {
    await withServer({}, async (place) => {
      const { out: id } = await wherry(place, [
        'run',
        '-d',
        '--name',
        'web',
        '-l',
        'x=y',
        'busybox',
        'sh',
        '-c',
        'echo started; sleep 60',
      ]);
      assert.match(id, /^[0-9a-f]{64}\n$/);
      assert.equal((await wherry(place, ['ps', '-q'])).out, `${id.slice(0, 12)}\n`);
      assert.match(
        (await wherry(place, ['ps'])).out,
        /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +EXPOSURE +PORTS +NAMES\n/,
      );
      assert.equal((await wherry(place, ['ps', '--format', '{{.Names}} {{.Label "x"}}'])).out, 'web y\n');
      assert.equal((await wherry(place, ['exec', 'web', 'echo', 'inside'])).out, 'inside\n');
      assert.equal((await wherry(place, ['exec', '-i', 'web', 'cat'], 'in')).out, 'in');
      assert.equal((await wherry(place, ['exec', 'web', 'sh', '-c', 'exit 4'])).code, 4);
      assert.equal((await wherry(place, ['logs', 'web'])).out, 'started\n');
      assert.equal(
        (await wherry(place, ['inspect', '-f', '{{.State.Status}} {{.Name}}', 'web'])).out,
        'running /web\n',
      );
      const mixed = await wherry(place, ['inspect', 'web', 'nope', 'busybox']);
      assert.equal(mixed.code, 1);
      assert.equal((JSON.parse(mixed.out) as unknown[]).length, 2);
      assert.equal(mixed.err, 'Error: No such object: nope\n');
      const taken = await wherry(place, ['create', '--name', 'web', 'busybox']);
      assert.equal(taken.code, 1);
      assert.match(taken.err, /already in use.*\nRemove it with 'wherry rm -f web', or choose another --name\.\n$/);
      await wherry(place, ['rename', 'web', 'www']);
      assert.deepEqual(await wherry(place, ['kill', 'www']), { code: 0, out: 'www\n', err: '' });
      assert.equal((await wherry(place, ['wait', 'www'])).out, '137\n');
      assert.equal((await wherry(place, ['rm', 'www'])).out, 'www\n');
      const gone = await wherry(place, ['rm', 'www']);
      assert.equal(
        gone.err,
        "Error response from daemon: No such container: www\nSee what is here with 'wherry ps -a'.\n",
      );
    });
  });

  test('images', async () => {
    await withServer({}, async (place) => {
      assert.match(
        (await wherry(place, ['images'])).out,
        /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\nbusybox +latest +f7c8a1ccf7c8 +.+ago +1\.98MB\n<none> +<none> /,
      );
      const pulled = await wherry(place, ['pull', 'busybox']);
      assert.equal(
        pulled.out,
        'Using default tag: latest\nlatest: Pulling from library/busybox\nStatus: Image is up to date for busybox:latest\ndocker.io/library/busybox:latest\n',
      );
      assert.equal((await wherry(place, ['pull', '-q', 'busybox'])).out, 'docker.io/library/busybox:latest\n');
      assert.equal((await wherry(place, ['load'], 'tar')).out, 'Loaded image: busybox:latest\n');
      const file = join(place.folder, 'out.tar');
      await wherry(place, ['save', '-o', file, 'busybox']);
      assert.ok((await readFile(file)).length >= 512);
      for (const [name, flags, magic] of [
        ['a.tar.gz', [], [0x1f, 0x8b]],
        ['a.tzst', [], [0x28, 0xb5, 0x2f, 0xfd]],
        ['a.gz', ['--compress', 'none'], [...Buffer.from('manifest.json')]],
        ['a.tar', ['--compress', 'gzip'], [0x1f, 0x8b]],
      ] as const) {
        const target = join(place.folder, name);
        assert.equal((await wherry(place, ['save', ...flags, '-o', target, 'busybox'])).err, '');
        assert.deepEqual([...(await readFile(target)).subarray(0, magic.length)], [...magic], name);
        assert.equal((await wherry(place, ['load', '-i', target])).out, 'Loaded image: busybox:latest\n');
      }
      await wherry(place, ['save', '--since', 'base', '--since=other:1', '-o', file, 'busybox']);
      assert.deepEqual((place.engine.calls.at(-1)!.args[1] as { since: string[] }).since, ['base', 'other:1']);
      const bars = await wherry(place, ['save', '-o', file, 'busybox'], '', { terminal: true });
      assert.match(bars.err, /out\.tar: Saving +2\.048kB\/2\.048kB\r\n[^]*out\.tar: Saved 2\.05kB\r\n$/);
      const loading = await wherry(place, ['load', '-i', file], '', { terminal: true });
      assert.match(loading.out, /out\.tar: Reading +2\.048kB\/2\.048kB\r\nLoaded image: busybox:latest\n$/);
      const refused: [words: string[], err: RegExp][] = [
        [
          ['save', '-o', join(place.folder, 'a.tar.xz'), 'busybox'],
          /^cannot compress as \.xz: name the output \.gz or/,
        ],
        [['save', '--compress', 'rar', 'busybox'], /^unknown compression "rar": must be one of "gzip", "zstd", "none"/],
        [
          ['save', '--platform', 'a/b/c/d', 'busybox'],
          /^invalid platform: "a\/b\/c\/d": cannot parse platform specifier/,
        ],
        [
          ['load', '-i', place.folder],
          /^Cannot load \S+: it is a directory\. Pack it: tar -C \S+ -c \. \| wherry load/,
        ],
        [['load', '-i', '/nonexistent'], /^open \/nonexistent: no such file or directory/],
      ];
      for (const [line, err] of refused) {
        const outcome = await wherry(place, line);
        assert.equal(outcome.code, 1);
        assert.match(outcome.err, err);
      }
      assert.match((await wherry(place, ['rmi', 'busybox'])).out, /^Untagged: busybox:latest\nDeleted: sha256:/);
      assert.match(
        (await wherry(place, ['rmi', 'nope'])).err,
        /No such image.*\nSee what is here with 'wherry images', or get it with 'wherry pull nope/,
      );
    });
  });

  test('images for people: layers and the tree', async () => {
    await withServer({}, async (place) => {
      const layers = await wherry(place, ['history', '--layers', 'busybox']);
      assert.equal(
        layers.out,
        `LAYER          DIFF ID        SIZE     STORED   FROM                                         SHARED WITH    CREATED BY
111111111111   222222222222   1.98MB   1MB      busybox:latest (docker.io/library/busybox)   app:1, app:2   COPY busybox /bin/ # and a very long explanation of what this step is good for

1 layer: 1.98MB unpacked, 1MB stored; 1.98MB of it shared with other images
`,
      );
      const narrow = await wherry(place, ['history', '--layers', 'busybox'], '', { terminal: true });
      const lines = narrow.out.split('\n').slice(0, 2);
      assert.ok(
        lines.every((line) => line.length <= 80),
        narrow.out,
      );
      assert.match(lines[1]!, /^1{12} +2{12} +1\.98MB +1MB +busybox… +app:1, a… +COPY bus…$/);
      assert.equal((await wherry(place, ['history', '--layers', '-q', '--no-trunc', 'busybox'])).out.length, 72);
      assert.equal(
        (await wherry(place, ['history', '--layers', '-H=false', '--format', '{{.Size}} {{.Origin}}', 'busybox'])).out,
        '1984162 registry\n',
      );
      await wherry(place, ['create', '--name', 'one', 'busybox']);
      await wherry(place, ['create', '--name', 'two', 'busybox']);
      assert.equal(
        (await wherry(place, ['images', '--tree'])).out,
        `IMAGE               ID             UNPACKED   STORED   IN USE
busybox:latest      f7c8a1ccf7c8   1.98MB     1MB      one, two
├─ other:name
├─ linux/amd64      aaaaaaaaaaaa   1.98MB     1MB      one, two
└─ linux/arm64/v8   bbbbbbbbbbbb   not here
<untagged>          000000000000   1B
`,
      );
      assert.deepEqual((place.engine.calls.at(-2)!.args[0] as { manifests: boolean }).manifests, true);
    });
  });

  test('image diff: text, JSON, exit codes', async () => {
    await withServer({}, async (place) => {
      const text = await wherry(place, ['image', 'diff', 'busybox', 'busybox:latest']);
      assert.deepEqual(text, {
        code: 1,
        err: '',
        out: `--- busybox  f7c8a1ccf7c8  1.98MB in 2 layers
+++ busybox:latest  f7c8a1ccf7c8  1.98MB in 3 layers, 1 of them shared

Configuration:
  ~ Cmd ["sh"] → ["app"]
  + Env.NEW with \\x1b[31mred
  - Labels.old

Packages:
  ~ curl 7.88 → 8.0
  - nano 7.2

Files:
  A /app/  1 file, 3kB
  A /app2  → app
  D /gone\\n  2kB
  C /bin/tool  10B → 20B, mode 0644 → 4755, owner 0:0 → 1:2
  C /etc/conf  content

Different: 3 settings, 2 packages, 3 files added, 1 removed, 2 changed; 3kB more
`,
      });
      const every = await wherry(place, ['image', 'diff', '-a', '--only', 'files', 'busybox', 'busybox:latest']);
      assert.match(every.out, /\n\nFiles:\n {2}A \/app\/\n {2}A \/app\/a {2}3kB\n/);
      assert.match(every.out, /\n\nDifferent: 3 files added, 1 removed, 2 changed; 3kB more\n$/);
      const json = await wherry(place, ['image', 'diff', '--format', 'json', 'busybox', 'busybox:latest']);
      const lines = json.out.trim().split('\n');
      assert.deepEqual(
        lines.map((line) => (JSON.parse(line) as { Kind: string }).Kind),
        [
          'images',
          ...Array.from({ length: 3 }, () => 'config'),
          'package',
          'package',
          ...Array.from({ length: 6 }, () => 'file'),
          'summary',
        ],
      );
      assert.deepEqual(await wherry(place, ['image', 'diff', '-q', 'busybox', 'busybox:latest']), {
        code: 1,
        out: '',
        err: '',
      });
      const same = await wherry(place, ['image', 'diff', 'busybox', 'busybox']);
      assert.deepEqual(
        [same.code, same.out.split('\n').at(-2)],
        [0, 'No difference in configuration, packages or files.'],
      );
      for (const [words, err] of [
        [['nope', 'busybox'], /No such image: nope/],
        [['busybox'], /requires 2 arguments/],
        [['--only', 'x', 'busybox', 'busybox'], /^unknown part "x": must be one of "config", "packages", "files"/],
        [['--format', 'table', 'busybox', 'busybox'], /^unknown format "table": must be "json"/],
      ] as const) {
        const outcome = await wherry(place, ['image', 'diff', ...words]);
        assert.equal(outcome.code, 2);
        assert.match(outcome.err, err);
      }
    });
  });

  test('networks and volumes', async () => {
    await withServer({}, async (place) => {
      const made = await wherry(place, ['network', 'create', '--label', 'a=b', 'app']);
      assert.equal(made.code, 0, made.err);
      assert.match((await wherry(place, ['network', 'ls'])).out, /^NETWORK ID +NAME +DRIVER +SCOPE\n[^]*app/);
      assert.deepEqual(await wherry(place, ['network', 'rm', 'app']), { code: 0, out: 'app\n', err: '' });
      assert.deepEqual(await wherry(place, ['volume', 'create', 'data']), { code: 0, out: 'data\n', err: '' });
      assert.match((await wherry(place, ['volume', 'ls'])).out, /^DRIVER +VOLUME NAME\nlocal +data\n$/);
      assert.equal((await wherry(place, ['volume', 'rm', 'data'])).out, 'data\n');
    });
  });

  test('cp in and out', async () => {
    await withServer({}, async (place) => {
      await wherry(place, ['run', '-d', '--name', 'box', 'busybox', 'sh', '-c', 'sleep 60']);
      const copied = await wherry(place, ['cp', 'box:/etc/passwd', join(place.folder, 'passwd')]);
      assert.equal(copied.code, 0, copied.err);
      assert.match(await readFile(join(place.folder, 'passwd'), 'utf8'), /^root:/);
      await writeFile(join(place.folder, 'in.txt'), 'x');
      assert.equal((await wherry(place, ['cp', join(place.folder, 'in.txt'), 'box:/root/'])).code, 0);
      assert.match((await wherry(place, ['cp', 'a', 'b'])).err, /must specify at least one container source/);
      await wherry(place, ['rm', '-f', 'box']);
    });
  });

  test('an image that is here stays usable when its registry does not answer', async () => {
    await withServer({}, async (place) => {
      const refusal = 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host';
      place.engine.images.pull = async () => {
        throw new Fault('internal', refusal);
      };
      const pulled = await wherry(place, ['pull', 'busybox']);
      assert.equal(pulled.code, 1);
      assert.match(
        pulled.err,
        /^Error response from daemon: Get .*no such host\nThe image busybox:latest(, made .* ago,)? is still here: use it with 'wherry run busybox:latest'\.\n$/,
      );
      const run = await wherry(place, ['run', '--rm', '--pull', 'always', 'busybox', 'echo', 'hi']);
      assert.equal(run.code, 125);
      assert.match(
        run.err,
        /no such host\nThe image busybox:latest.* is still here: leave out '--pull always' to use it\./,
      );
      assert.equal((await wherry(place, ['run', '--rm', 'busybox', 'echo', 'hi'])).out, 'hi\n', 'nobody is asked');
      const unknown = await wherry(place, ['pull', 'nothere']);
      assert.equal(unknown.err, `Error response from daemon: ${refusal}\n`);
    });
  });

  test('prunes ask first', async () => {
    await withServer({}, async (place) => {
      const refused = await wherry(place, ['container', 'prune'], 'n\n');
      assert.deepEqual([refused.code, refused.err], [1, 'operation cancelled\n']);
      const agreed = await wherry(place, ['container', 'prune'], 'y\n');
      assert.match(agreed.out, /\[y\/N\] Total reclaimed space: 0B\n$/);
    });
  });

  test('credentials', async () => {
    await withServer({}, async (place) => {
      await writeFile(
        join(place.folder, 'config.json'),
        JSON.stringify({ auths: { 'r.example.com': { auth: 'YTpi' } }, kept: 1 }),
      );
      assert.equal(
        (await wherry(place, ['logout', 'r.example.com'])).out,
        'Removing login credentials for r.example.com\n',
      );
      assert.deepEqual(JSON.parse(await readFile(join(place.folder, 'config.json'), 'utf8')), { auths: {}, kept: 1 });
      const hidden = await wherry(place, ['login', '--password-stdin', 'r.example.com'], 'x');
      assert.match(hidden.err, /--password-stdin option requires --username/);
    });
  });

  test('contexts', async () => {
    await withServer({}, async (place) => {
      const made = await wherry(place, [
        'context',
        'create',
        'far',
        '--description',
        'd',
        '--docker',
        'host=tcp://10.0.0.1:2375',
      ]);
      assert.equal(made.out, 'far\n');
      assert.match((await wherry(place, ['context', 'ls'])).out, /default \* .*\nfar +d +tcp:\/\/10\.0\.0\.1:2375/);
      assert.equal(
        (await wherry(place, ['context', 'inspect', '-f', '{{.Endpoints.docker.Host}}', 'far'])).out,
        'tcp://10.0.0.1:2375\n',
      );
      const file = join(place.folder, 'far.tar');
      await wherry(place, ['context', 'export', 'far', file]);
      assert.equal((await wherry(place, ['context', 'import', 'near', file])).code, 0);
      assert.equal((await wherry(place, ['context', 'rm', 'far', 'near'])).out, 'far\nnear\n');
    });
  });

  test('refusals of the line', async () => {
    await withServer({}, async (place) => {
      assert.deepEqual(await wherry(place, ['ps', '--foo']), {
        code: 125,
        out: '',
        err: "unknown flag: --foo\n\nUsage:  wherry ps [OPTIONS]\n\nRun 'wherry ps --help' for more information\n",
      });
      assert.deepEqual(await wherry(place, ['run']), {
        code: 1,
        out: '',
        err: "wherry: 'wherry run' requires at least 1 argument\n\nUsage:  wherry run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nSee 'wherry run --help' for more information\n",
      });
      assert.equal((await wherry(place, ['ps', 'x'])).err.split('\n')[0], "wherry: 'wherry ps' accepts no arguments");
      assert.equal((await wherry(place, ['nope'])).code, 1);
      assert.equal((await wherry(place, ['build', '-t', 'x', '.'])).code, 1);
      assert.match((await wherry(place, ['network'])).out, /^Usage: {2}wherry network COMMAND\n/);
    });
  });

  test('where no daemon is', async () => {
    const nowhere = { path: '/nonexistent/x.sock', folder: '/nonexistent' };
    assert.deepEqual(await wherry(nowhere, ['ps']), {
      code: 1,
      out: '',
      err: 'Cannot connect to the Docker daemon at unix:///nonexistent/x.sock. Is the docker daemon running?\n',
    });
  });
});

describe('the service', () => {
  test('doctor: chosen checks, as text and as JSON; an unknown one names those there are', async () => {
    await withServer({}, async (place) => {
      const { code, out } = await wherry(place, ['system', 'doctor', 'kernel', 'engine']);
      assert.equal(code, 0);
      assert.match(
        out,
        /^ +CHECK +FOUND\nok {4}kernel +\d.*\nok {4}engine +Wherry answers at .*\n\n2 ok, 0 warnings, 0 failures\n$/,
      );
      const json = await wherry(place, ['system', 'doctor', '--format', 'json', 'kernel']);
      const parsed = JSON.parse(json.out) as { Ok: number; Checks: { Id: string; State: string; Mend: string[] }[] };
      assert.deepEqual(
        [parsed.Ok, parsed.Checks[0]!.Id, parsed.Checks[0]!.State, parsed.Checks[0]!.Mend],
        [1, 'kernel', 'ok', []],
      );
      assert.match((await wherry(place, ['system', 'doctor', 'nose'])).err, /no check "nose"; there are: kernel, /);
      assert.match((await wherry(place, ['system', 'doctor', '--format', 'xml'])).err, /the only format is json/);
      assert.match((await wherry(place, ['system', 'doctor', '--help'])).out, /\n {2}nftables +nftables\n/);
    });
  });

  test('install --print shows the units and needs neither root nor systemd', async () => {
    await withServer({}, async (place) => {
      const { code, out } = await wherry(place, ['system', 'install', '--print', '--group', 'wheel']);
      assert.equal(code, 0);
      assert.match(
        out,
        /^# \/etc\/systemd\/system\/wherry\.service\n[\s\S]*\n# \/etc\/systemd\/system\/wherry\.socket\n[\s\S]*SocketGroup=wheel\n/,
      );
    });
  });
});

describe('completion', () => {
  const words = async (place: { path: string; folder: string }, ...typed: string[]): Promise<string[]> =>
    (await wherry(place, ['__complete', ...typed])).out
      .split('\n')
      .map((line) => line.split('\t')[0]!)
      .slice(0, -1);

  test('commands, flags, values and names', async () => {
    await withServer({}, async (place) => {
      assert.deepEqual(await words(place, 'rest'), ['restart']);
      assert.deepEqual(await words(place, 'container', 'pr'), ['prune']);
      assert.deepEqual(await words(place, 'ps', '--no-t'), ['--no-trunc']);
      assert.deepEqual(await words(place, 'run', '--restart', 'un'), ['unless-stopped']);
      assert.deepEqual(await words(place, 'run', '--restart=al'), ['--restart=always']);
      assert.deepEqual(await words(place, '-H', 'x', 'rena'), ['rename']);
      await wherry(place, ['run', '-d', '--name', 'web', 'busybox', 'sh', '-c', 'sleep 60']);
      await wherry(place, ['create', '--name', 'idle', 'busybox']);
      await wherry(place, ['volume', 'create', 'data']);
      assert.deepEqual(await words(place, 'stop', ''), ['web']);
      assert.deepEqual(await words(place, 'start', ''), ['idle']);
      assert.deepEqual((await words(place, 'rm', '')).sort(), ['idle', 'web']);
      assert.deepEqual(await words(place, 'rm', 'web', ''), ['idle']);
      assert.deepEqual(await words(place, 'run', 'bus'), ['busybox']);
      assert.deepEqual(await words(place, 'save', '--since', 'bus'), ['busybox']);
      assert.deepEqual(await words(place, 'save', '--compress=g'), ['--compress=gzip']);
      assert.deepEqual(await words(place, 'save', '--platform', 'linux/arm'), ['linux/arm64', 'linux/arm/v7']);
      assert.deepEqual(await words(place, 'logs', '--since', ''), []);
      assert.deepEqual(await words(place, 'volume', 'rm', ''), ['data']);
      assert.deepEqual(await words(place, 'system', 'doctor', 'dns', 'd'), ['docker-socket']);
      await wherry(place, ['rm', '-f', 'web']);
    });
  });

  test('scripts for three shells', async () => {
    await withServer({}, async (place) => {
      for (const shell of ['bash', 'zsh', 'fish']) {
        assert.match((await wherry(place, ['completion', shell])).out, /__complete/);
      }
      assert.equal((await wherry(place, ['completion', 'csh'])).code, 1);
    });
  });
});
