/** `wherry build` against a server whose builder plays builds: what is asked, what is lent, what is printed, how it ends. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import type { BuildRequest } from '../../api/index.ts';
import { tagInLayout } from '../../buildkit/index.ts';
import type { PlayedBuild } from '../../../test/support/played-builds.ts';
import { type Running, withServer } from '../../../test/support/server.ts';
import { tarOf } from '../../../test/support/tar.ts';
import { type Outcome, wherry } from '../fixture.ts';

const plain = 'FROM busybox\nRUN echo hi\n';

class Place {
  readonly running: Running;
  readonly context: string;

  constructor(running: Running) {
    this.running = running;
    this.context = join(running.folder, 'context');
    mkdirSync(this.context);
  }

  file(name: string, content = ''): string {
    const path = join(this.running.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  dockerfile(text: string): void {
    this.file('context/Dockerfile', text);
  }

  build(...words: readonly string[]): Promise<Outcome> {
    return wherry(this.running, ['build', ...words]);
  }

  get seen(): PlayedBuild {
    return this.running.engine.builds.seen.at(-1)!;
  }

  get request(): BuildRequest {
    return this.seen.request;
  }
}

function scenario(name: string, body: (place: Place) => Promise<void>): void {
  test(name, () =>
    withServer({}, async (running) => {
      const place = new Place(running);
      place.dockerfile(plain);
      await body(place);
    }),
  );
}

describe('what is asked', () => {
  scenario('every flag as the builder gets it', async (place) => {
    const { context } = place;
    const other = dirname(place.file('other/file'));
    const words = [
      '-t a:1 --tag b --build-arg A=1 --build-arg FOO --build-arg NOT_THERE --label l=v --label bare --annotation k=v',
      '--annotation manifest:m=w --target t --no-cache-filter x --no-cache-filter y --pull --network none',
      '--add-host h:1.2.3.4 --add-host g=host-gateway --ulimit nofile=5:6 --shm-size 64m --cgroup-parent /p -m 1g',
      '--memory-swap -1 -c 5 --cpu-period 10 --cpu-quota 20 --cpuset-cpus 0 --platform linux/x86_64',
      '--cache-from user/app:cache --cache-from type=local,src=/c --cache-to type=inline --allow security.insecure',
      `--build-context other=${other} --build-context base=docker-image://x`,
      `--build-context git=https://h.example/r.git ${context}`,
    ];
    const { code, err } = await place.build(...words.join(' ').split(' '));
    assert.equal(code, 0, err);
    const { request } = place;
    assert.deepEqual(
      [...request.buildArgs],
      [
        ['A', '1'],
        ['FOO', 'foo'],
      ],
    );
    assert.deepEqual(
      [...request.labels],
      [
        ['l', 'v'],
        ['bare', ''],
      ],
    );
    assert.deepEqual(
      [...request.annotations],
      [
        ['k', 'v'],
        ['m', 'w'],
      ],
    );
    assert.deepEqual(
      {
        target: request.target,
        noCache: request.noCache,
        pull: request.pull,
        network: request.network,
        hosts: request.extraHosts,
        platform: request.platform,
        insecure: request.allowInsecure,
        names: request.outputs.map(({ type, names }) => [type, ...names]),
      },
      {
        target: 't',
        noCache: ['x', 'y'],
        pull: true,
        network: 'none',
        hosts: ['h:1.2.3.4', 'g:172.17.0.1'],
        platform: 'linux/amd64',
        insecure: true,
        names: [['image', 'a:1', 'b']],
      },
    );
    assert.deepEqual(request.limits, {
      memory: 2 ** 30,
      memorySwap: -1,
      cpuShares: 5,
      cpuPeriod: 10,
      cpuQuota: 20,
      cpusetCpus: '0',
      cpusetMems: '',
      shmSize: 64 << 20,
      ulimits: [{ Name: 'nofile', Soft: 5, Hard: 6 }],
      cgroupParent: '/p',
    });
    assert.deepEqual(request.cacheFrom, [{ type: 'registry', attributes: { ref: 'user/app:cache' } }]);
    assert.match(err, /^WARNING: there is no cache in \/c yet\n/);
    assert.deepEqual(request.cacheTo, [{ type: 'inline', attributes: {} }]);
    assert.deepEqual([...request.namedContexts.keys()], ['other', 'base', 'git']);
    assert.deepEqual(request.namedContexts.get('base'), { image: 'x' });
    assert.deepEqual(request.namedContexts.get('git'), { url: 'https://h.example/r.git' });
  });

  scenario('nothing said is the image store, and no more', async (place) => {
    assert.equal((await place.build(place.context)).code, 0);
    const { outputs, noCache, pull, platform, network } = place.request;
    assert.deepEqual(
      outputs.map(({ type, push }) => [type, push]),
      [['image', false]],
    );
    assert.deepEqual([noCache, pull, platform, network], [false, false, undefined, 'default']);
    assert.equal((await place.build('--no-cache', '-o', 'type=cacheonly', place.context)).code, 0);
    assert.deepEqual([place.request.noCache, place.request.outputs], [true, []]);
  });

  scenario('aliases, and attestations that are not wanted', async (place) => {
    for (const words of [
      ['buildx', 'build'],
      ['builder', 'build'],
      ['image', 'build'],
      ['buildx', 'b'],
    ]) {
      const { code, err } = await wherry(place.running, [
        ...words,
        '--provenance=false',
        '--sbom',
        'false',
        place.context,
      ]);
      assert.equal(code, 0, err);
    }
    assert.equal(place.running.engine.builds.seen.length, 4);
  });

  scenario('proxies of the configuration', async (place) => {
    const proxies = { default: { httpProxy: 'http://p.example' } };
    place.file('config.json', JSON.stringify({ proxies }));
    assert.equal((await place.build('--build-arg', 'http_proxy=mine', place.context)).code, 0);
    const { buildArgs } = place.request;
    assert.deepEqual([buildArgs.get('HTTP_PROXY'), buildArgs.get('http_proxy')], ['http://p.example', 'mine']);
  });
});

describe('caches in folders', () => {
  scenario('by their digests, which their index has', async (place) => {
    const cache = join(place.running.folder, 'cache');
    const digest = `sha256:${'ab'.repeat(32)}`;
    tagInLayout(cache, 'mine', JSON.stringify({ mediaType: 'm', digest, size: 2 }));
    const from = `--cache-from=type=local,src=${cache},tag=mine`;
    assert.equal((await place.build(from, `--cache-to=type=local,dest=${cache},mode=max`, place.context)).code, 0);
    const [imported] = place.request.cacheFrom;
    assert.deepEqual(imported?.attributes, { src: cache, tag: 'mine', digest });
    assert.ok(imported.store !== undefined);
    assert.deepEqual(place.request.cacheTo[0]?.attributes, { dest: cache, mode: 'max' });
    const other = await place.build(`--cache-from=type=local,src=${cache}`, place.context);
    assert.match(other.err, /WARNING: there is no cache in/);
    assert.deepEqual(place.request.cacheFrom, []);
  });
});

describe('where the context and the Dockerfile are', () => {
  scenario('a folder, and another Dockerfile', async (place) => {
    place.file('context/deep/file', 'content');
    const other = place.file('elsewhere/Other', 'FROM busybox\nRUN echo other\n');
    const { code, err } = await place.build('-f', other, place.context);
    assert.equal(code, 0, err);
    assert.match(err, /RUN echo other/);
    assert.equal(place.seen.files.get('deep/file'), 'content');
  });

  scenario('a small d will do', async (place) => {
    const folder = dirname(place.file('small/dockerfile', 'FROM busybox\nRUN echo small\n'));
    assert.match((await place.build(folder)).err, /RUN echo small/);
  });

  scenario('a Dockerfile on standard input, with a folder and without', async (place) => {
    place.file('context/file', 'content');
    const typed = 'FROM busybox\nRUN echo typed\n';
    const beside = await wherry(place.running, ['build', '-f', '-', place.context], typed);
    assert.match(beside.err, /RUN echo typed/);
    assert.equal(place.seen.files.get('file'), 'content');
    const alone = await wherry(place.running, ['build', '-'], typed);
    assert.match(alone.err, /RUN echo typed/);
    assert.equal(place.seen.files.size, 0);
  });

  scenario('a tar on standard input', async (place) => {
    const tar = tarOf('Dockerfile', Buffer.from('FROM busybox\nRUN echo packed\n'));
    // The fixture's input is text; a tar of ASCII is the same bytes.
    const { code, err } = await wherry(place.running, ['build', '-'], tar.toString('latin1'));
    assert.equal(code, 0, err);
    assert.match(err, /RUN echo packed/);
    assert.deepEqual([...place.seen.files.keys()], ['Dockerfile']);
  });

  scenario('URLs go to the builder', async (place) => {
    for (const url of [
      'https://h.example/x.git#main',
      'https://h.example/x.tar',
      'git@h.example:x',
      'git://h.example/x',
    ]) {
      await place.build(url);
      assert.deepEqual(place.request.context, { url });
    }
  });

  scenario('what is not there says so, and what to do', async (place) => {
    const missing = await place.build(join(place.context, 'nowhere'));
    assert.deepEqual([missing.code, /path ".*nowhere" not found/.test(missing.err)], [1, true]);
    const file = await place.build(join(place.context, 'Dockerfile'));
    assert.match(file.err, /is a file: name the folder to build in, as in 'wherry build -f/);
    place.file('context/Containerfile');
    const named = await place.build('-f', join(place.context, 'Dokerfile'), place.context);
    assert.equal(named.code, 1);
    assert.match(named.err, /open .*Dokerfile: no such file or directory\nThere is .*: name it with '-f/);
    const both = await place.build('-f', '-', '-');
    assert.match(both.err, /can't use stdin for both/);
    const ambiguous = await wherry(place.running, ['build', '-f', 'x', '-'], plain);
    assert.match(ambiguous.err, /ambiguous Dockerfile source/);
    assert.match((await place.build('-')).err, /standard input is empty/);
    assert.equal(place.running.engine.builds.seen.length, 0);
  });
});

describe('secrets', () => {
  scenario('from a file, from the environment, missing', async (place) => {
    place.dockerfile('FROM busybox\nRUN secret file\nRUN secret env\nRUN secret FOO\nRUN secret none\n');
    const file = place.file('secret', 'of the file');
    const flags = `--secret id=file,src=${file} --secret id=env,env=FOO --secret id=FOO`;
    const { err } = await place.build(...flags.split(' '), place.context);
    assert.match(err, /of the file\n[^]*foo\n[^]*foo\n[^]*no none\n/);
  });
});

describe('how it ends', () => {
  scenario('quiet prints the id, and nothing else', async (place) => {
    const { code, out, err } = await place.build('-q', place.context);
    assert.deepEqual([code, err], [0, '']);
    assert.match(out, /^sha256:[0-9a-f]{64}\n$/);
  });

  scenario('files for programs', async (place) => {
    const [iid, metadata] = [join(place.running.folder, 'iid'), join(place.running.folder, 'metadata.json')];
    const { code } = await place.build('-t', 'x', '--iidfile', iid, '--metadata-file', metadata, place.context);
    assert.equal(code, 0);
    const image = readFileSync(iid, 'utf8');
    assert.match(image, /^sha256:[0-9a-f]{64}$/);
    const told = JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, string>;
    assert.deepEqual([told['containerimage.config.digest'], told['image.name']], [image, 'docker.io/library/x']);
    assert.match(told['buildx.build.ref']!, /^default\/default\/[0-9a-f]+$/);
    const nowhere = await place.build('--iidfile', '/nowhere/iid', place.context);
    assert.deepEqual([nowhere.code, /the directory \/nowhere does not exist/.test(nowhere.err)], [1, true]);
  });

  scenario('a failed step: its output, its line, its exit code, how to look at it', async (place) => {
    place.dockerfile('FROM busybox\nRUN echo before\nRUN exit 7\nCMD sh\n');
    const iid = join(place.running.folder, 'iid');
    const { code, err } = await place.build('-t', 'x', '--iidfile', iid, place.context);
    assert.equal(code, 1);
    assert.equal(existsSync(iid), false);
    const end = err.slice(err.indexOf('------'));
    assert.equal(
      end,
      [
        '------',
        ' > RUN exit 7:',
        '------',
        'Dockerfile:3',
        '--------------------',
        '   1 |     FROM busybox',
        '   2 |     RUN echo before',
        '   3 | >>> RUN exit 7',
        '   4 |     CMD sh',
        '   5 |     ',
        '--------------------',
        'ERROR: failed to build: failed to solve: process "/bin/sh -c exit 7" did not complete successfully: exit code: 7',
        'To look around in the state before this step:',
        '  wherry debug',
        '',
      ].join('\n'),
    );
  });

  scenario('a Dockerfile that is none', async (place) => {
    place.dockerfile('FROM busybox\nRUM x\n');
    const { code, err } = await place.build(place.context);
    assert.equal(code, 1);
    assert.match(err, /2 \| >>> RUM x\n[^]*ERROR: failed to build: failed to solve: dockerfile parse error on line 2/);
    assert.doesNotMatch(err, /wherry debug/);
  });
});

describe('refusals, before anything is asked', () => {
  const refusals: readonly (readonly [words: string, message: RegExp])[] = [
    ['-t FOO:bar', /invalid tag "FOO:bar": .*must be lowercase/],
    ['--add-host foo', /invalid host foo: write NAME:ADDRESS/],
    ['--secret id', /invalid field 'id' must be a key=value pair/],
    ['--secret src=x', /secret missing ID/],
    ['--secret id=a,src=/nonexistent', /failed to stat \/nonexistent/],
    ['--secret id=a,type=bogus', /unsupported secret type "bogus"/],
    ['--secret id=a,foo=bar', /unexpected key 'foo' in 'foo=bar'/],
    ['--ssh default', /make sure SSH_AUTH_SOCK is set/],
    ['--ssh a=/nonexistent', /Cannot use SSH key \/nonexistent: no such file/],
    ['--network foo', /network mode "foo" not supported/],
    ['-o type=bogus', /exporter "bogus" could not be found: use one of docker, image/],
    ['-o dest=x', /type is required for output "dest=x"/],
    ['-o type=local', /dest is required for local exporter/],
    ['-o type=local,dest=-', /dest cannot be stdout for local exporter/],
    ['-o type=tar,dest=/', /destination file \/ is a directory/],
    ['-o type=tar,dest=/nonexistent/x', /the directory \/nonexistent does not exist/],
    ['-o type=oci,tar=false', /dest is required for oci exporter with tar=false/],
    ['--build-context foo', /invalid context value: foo, expected key=value/],
    ['--build-context foo=/nonexistent', /failed to get build context foo: stat \/nonexistent/],
    ['--build-context foo=oci-layout://x', /wherry load/],
    ['--cache-from foo=bar', /type required form> "foo=bar"/],
    ['--cache-from type=local', /local cache importer requires src: --cache-from type=local,src=FOLDER/],
    ['--cache-to type=local', /local cache exporter requires dest/],
    ['--allow foo', /unknown entitlement foo/],
    ['--annotation foo', /invalid annotation "foo", expected key=value/],
    ['--annotation bogus:a=b', /unknown annotation type "bogus"/],
    ['--platform linux/amd64,linux/arm64', /Multi-platform build is not supported/],
    ['--call bogus', /invalid --call "bogus": use build, check, outline or targets/],
    ['--call check,format=xml', /invalid --call field: format=xml/],
    ['--check --print-plan', /exclude one another/],
    ['--squash', /Cannot squash: .*COPY --from=build/],
    ['--push', /tag is needed when pushing to registry: add '-t NAME'/],
    ['--no-cache --no-cache-filter x', /cannot currently be used together/],
    ['--sbom true', /Cannot attest \(--sbom=true\)/],
    ['--attest type=provenance', /Cannot attest \(type=provenance\)/],
    ['--builder foo', /no builder "foo" found/],
    ['-f https://x.example/Dockerfile', /wherry build -f -/],
    ['-q --progress plain', /progress=plain and quiet cannot be used together/],
    ['--progress bogus', /invalid progress mode bogus/],
    ['--progress tty', /standard error is no terminal/],
  ];
  test('each with its reason', () =>
    withServer({}, async (running) => {
      const place = new Place(running);
      place.dockerfile(plain);
      for (const [words, message] of refusals) {
        const { code, out, err } = await place.build(...words.split(' '), place.context);
        assert.equal(code, 1, `${words}: ${err}`);
        assert.match(err, message, words);
        assert.match(err, /^ERROR: /, words);
        assert.equal(out, '', words);
      }
      const wrong = await place.build('--ulimit', 'nofile=5:3', place.context);
      assert.deepEqual([wrong.code, /soft limit must be less/.test(wrong.err)], [125, true]);
      assert.equal((await place.build()).code, 1);
      assert.equal(running.engine.builds.seen.length, 0);
    }));
});

describe('the cache', () => {
  scenario('du, prune and what they say', async (place) => {
    await place.build(place.context);
    const du = await wherry(place.running, ['buildx', 'du']);
    assert.match(
      du.out,
      /^ID +RECLAIMABLE +SIZE +LAST ACCESSED\n\S{25} +true +1kB +\n[^]*Reclaimable:\t2kB\nTotal:\t\t2kB\n$/,
    );
    assert.equal(
      (await wherry(place.running, ['builder', 'du', '--filter', 'type=exec.cachemount'])).out.split('\n').length,
      2,
    );
    const json = await wherry(place.running, ['buildx', 'du', '--format', '{{.Type}} {{.Size}}']);
    assert.equal(json.out, 'regular 1kB\nregular 1kB\n');
    const refused = await wherry(place.running, ['buildx', 'prune'], 'n\n');
    assert.deepEqual([refused.code, /dangling build cache/.test(refused.out)], [1, true]);
    const pruned = await wherry(place.running, ['buildx', 'prune', '-f', '-a', '--max-used-space', '500']);
    assert.match(pruned.out, /^ID +RECLAIMABLE[^]*\nTotal:\t2kB\n$/);
    assert.deepEqual(place.running.engine.builds.pruned, { all: true, keepBytes: 500, filters: new Map() });
  });
});

describe('debug', () => {
  scenario('what failed is listed; without a failure there is nothing to see', async (place) => {
    const none = await wherry(place.running, ['debug']);
    assert.equal(none.code, 1);
    place.dockerfile('FROM busybox\nRUN exit 7\n');
    await place.build(place.context);
    const { out } = await wherry(place.running, ['debug', '--list']);
    assert.match(out, /^BUILD +FAILED +EXIT CODE +STEP\n[0-9a-f]{12} +less than a second ago +7 +RUN exit 7\n$/);
    const two = await wherry(place.running, ['debug', 'a', 'b']);
    assert.deepEqual([two.code, /takes one BUILD/.test(two.err)], [1, true]);
  });
});
