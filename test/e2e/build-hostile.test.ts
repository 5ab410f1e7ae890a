/**
 * Dockerfiles, contexts, archives and base images that mean harm. None of them reads or writes a file of the host, leaks a secret, or
 * fills the daemon's memory; each ends as a build of what is inside, or with an error that names what was wrong.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type TarHeader, tarHeader, type TarSource, type TarType, writeTar } from '../../src/oci/index.ts';
import { collectBytes } from '../../src/std/index.ts';
import { BuildClient } from '../support/build-clients.ts';
import { sharedDaemon } from '../support/daemon.ts';

const host = await sharedDaemon();
const { scenario } = host;
let noBuildx: string | undefined;
const buildx = await BuildClient.buildx(host.daemon).catch((error: Error) => {
  noBuildx = error.message;
  return undefined;
});

/** Words that are on the host, and must be nowhere else. */
const word = `canary-${process.pid}-of-the-host`;
let canary: string;

function placeCanary(): void {
  canary = join(host.daemon.root, 'canary');
  mkdirSync(canary, { recursive: true });
  writeFileSync(join(canary, 'secret'), word);
}

/** The host's folder is what it was. */
function assertUntouched(what: string): void {
  assert.deepEqual(readdirSync(canary), ['secret'], what);
  assert.equal(readFileSync(join(canary, 'secret'), 'utf8'), word, what);
}

type Entry = [name: string, type: TarType, content?: string | Buffer, more?: Partial<TarHeader>];

/** For links the content is where they lead. */
function entry([name, type, content = '', more = {}]: Entry): TarSource {
  if (type !== 'file') return { header: tarHeader(name, type, { linkName: Buffer.from(content), ...more }) };
  const body = Buffer.from(content);
  return { header: tarHeader(name, type, { size: body.length, ...more }), body };
}

const tarOf = (entries: readonly Entry[]): Promise<Buffer> => collectBytes(writeTar(entries.map(entry)), 1 << 30);

interface Built {
  /** All that was said. */
  output: string;
  error: string | undefined;
}

/** `POST /build`, as the classic builder's clients do it. */
function post(context: Buffer, query: Record<string, string> = {}): Promise<Built> {
  return new Promise((resolve, reject) => {
    const path = `/v1.44/build?${new URLSearchParams({ rm: '1', forcerm: '1', t: 'hostile', ...query }).toString()}`;
    const headers = { 'content-type': 'application/x-tar' };
    const sent = request({ socketPath: host.daemon.socket, method: 'POST', path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const lines = text.split('\r\n').filter((line) => line !== '');
        const messages = lines.map((line) => JSON.parse(line) as { stream?: string; error?: string; message?: string });
        const output = messages.map(({ stream = '', error = '', message = '' }) => stream + error + message).join('');
        const error = messages.find((each) => each.error ?? each.message);
        resolve({ output, error: error?.error ?? error?.message });
      });
      response.on('error', reject);
    });
    // The daemon may answer before it has read everything.
    sent.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') reject(error);
      else resolve({ output: '', error: error.code });
    });
    sent.end(context);
  });
}

/** Whether what a shell prints has these words. */
function isIn(script: string, words: string): boolean {
  return spawnSync('sh', ['-c', `{ ${script}; } | grep -aq "${words}"`]).status === 0;
}

async function isSaved(image: string, words: string): Promise<boolean> {
  const file = join(host.daemon.root, 'saved.tar');
  await host.docker.ok('save', '-o', file, image);
  return isIn(`cat "${file}"`, words);
}

interface Case {
  dockerfile?: string;
  entries?: (outside: string) => Entry[];
  /** The words of its end; otherwise it is built. */
  refused?: RegExp;
  /** What the image's command prints. */
  prints?: string | RegExp;
}

/** Its resident memory at most since the last call, in MB. */
function peak(): number {
  const text = readFileSync(`/proc/${host.daemon.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(text)?.[1]) / 1000;
}

const resetPeak = (): void => writeFileSync(`/proc/${host.daemon.pid}/clear_refs`, '5');

async function check(what: string, { dockerfile, entries, refused, prints }: Case): Promise<void> {
  const own: Entry[] = dockerfile === undefined ? [] : [['Dockerfile', 'file', dockerfile]];
  const { output, error } = await post(await tarOf([...own, ...(entries?.(canary) ?? [])]), { nocache: '1' });
  assert.ok(!output.includes(word), `${what}: the host's words are told`);
  if (refused === undefined) {
    assert.equal(error, undefined, `${what}: ${output}`);
    const run = await host.docker.run(['run', '--rm', '--network', 'none', 'hostile']);
    assert.ok(!run.stdout.includes(word), `${what}: the host's words are in the image`);
    if (prints !== undefined) {
      if (typeof prints === 'string') assert.equal(run.stdout.trim(), prints, `${what}: ${run.stderr}`);
      else assert.match(run.stdout + run.stderr, prints, what);
    }
    assert.ok(!(await isSaved('hostile', word)), `${what}: the host's words are in a layer`);
  } else {
    assert.match(error ?? 'it was built', refused, what);
    const { stdout } = await host.docker.run(['images', '-q', 'hostile']);
    assert.equal(stdout.trim(), '', `${what}: nothing is tagged`);
  }
  assertUntouched(what);
  await host.docker.run(['rmi', '-f', 'hostile']);
}

const tables: Record<string, Record<string, Case>> = {
  'what a context’s archive says of the host': {
    'a folder that is a link out, and a file in it': {
      dockerfile: 'FROM busybox\nCOPY . /c\nCMD ["find", "/c"]\n',
      entries: (outside) => [
        ['out', 'symlink', outside],
        ['out/written', 'file', 'x'],
      ],
      refused: /out/,
    },
    'names that climb': {
      dockerfile: 'FROM busybox\nCOPY . /c\n',
      entries: (outside) => [[`../../../../../../../..${outside}/written`, 'file', 'x']],
      refused: /\.\./,
    },
    'an absolute name is one inside': {
      dockerfile: 'FROM busybox\nCOPY . /c\nCMD ["find", "/c", "-name", "written"]\n',
      entries: (outside) => [[`${outside}/written`, 'file', 'x']],
      prints: /\/c\/.*\/canary\/written/,
    },
    'a hard link to the host’s file': {
      dockerfile: 'FROM busybox\nCOPY stolen /c\nCMD ["cat", "/c"]\n',
      entries: (outside) => [['stolen', 'hardlink', `${outside}/secret`]],
      refused: /stolen|secret/,
    },
    'a hard link that climbs': {
      dockerfile: 'FROM busybox\nCOPY stolen /c\nCMD ["cat", "/c"]\n',
      entries: (outside) => [['stolen', 'hardlink', `../../../../../../../../..${outside}/secret`]],
      refused: /stolen|secret|\.\./,
    },
    'a hard link through a link': {
      dockerfile: 'FROM busybox\nCOPY stolen /c\nCMD ["cat", "/c"]\n',
      entries: (outside) => [
        ['out', 'symlink', outside],
        ['stolen', 'hardlink', 'out/secret'],
      ],
      refused: /stolen|secret|out/,
    },
    'a link to the host’s file': {
      dockerfile: 'FROM busybox\nCOPY stolen /c\nCMD ["cat", "/c"]\n',
      entries: (outside) => [['stolen', 'symlink', `${outside}/secret`]],
      refused: /not found|no such file/i,
    },
    'links that lead to each other': {
      dockerfile: 'FROM busybox\nCOPY a/x /c\n',
      entries: () => [
        ['a', 'symlink', 'b'],
        ['b', 'symlink', 'a'],
      ],
      refused: /a\/x|too many/i,
    },
    'a Dockerfile that is a link to the host’s file': {
      entries: (outside) => [['Dockerfile', 'symlink', `${outside}/secret`]],
      refused: /Dockerfile/,
    },
    'a Dockerfile that is a pipe': { entries: () => [['Dockerfile', 'fifo']], refused: /Dockerfile/ },
    'a Dockerfile that is a folder': { entries: () => [['Dockerfile', 'directory']], refused: /Dockerfile/ },
    'a Dockerfile that is a device': {
      entries: () => [['Dockerfile', 'character', '', { major: 1, minor: 5 }]],
      refused: /Dockerfile/,
    },
    'an ignore file that is a link to the host’s file': {
      dockerfile: 'FROM busybox\nCOPY . /c\nCMD ["cat", "/c/.dockerignore"]\n',
      entries: (outside) => [['.dockerignore', 'symlink', `${outside}/secret`]],
      prints: /can't open|No such file/,
    },
    'attributes of overlayfs': {
      dockerfile: 'FROM busybox\nRUN mkdir /c && touch /c/before\nCOPY d /c/\nCMD ["ls", "/c"]\n',
      entries: (outside) => {
        const xattrs = new Map([
          ['trusted.overlay.opaque', Buffer.from('y')],
          ['trusted.overlay.redirect', Buffer.from(outside)],
          ['user.overlay.opaque', Buffer.from('y')],
        ]);
        return [
          ['d', 'directory', '', { xattrs, mode: 0o755 }],
          ['d/after', 'file', 'x', { xattrs }],
        ];
      },
      prints: 'after\nbefore',
    },
    'names of whiteouts': {
      dockerfile:
        'FROM busybox\nCOPY d /bin/\nRUN true\nCMD ["sh", "-c", "ls /bin | wc -l | grep -q ... && echo there"]\n',
      entries: () => [
        ['d/.wh..wh..opq', 'file', ''],
        ['d/.wh.sh', 'file', ''],
      ],
      prints: 'there',
    },
  },
  'what ADD unpacks': {
    'names that climb, links out, hard links, devices of overlayfs': {
      dockerfile: 'FROM busybox\nADD evil.tar /c/\nCMD ["find", "/c"]\n',
      refused: /evil\.tar|out|\.\./,
    },
    'a bomb': {
      dockerfile: 'FROM busybox\nADD bomb.tar.gz /c/\nCMD ["sh", "-c", "stat -c %s /c/zeros"]\n',
      prints: String(400 << 20),
    },
  },
  'what instructions say of places': {
    'a destination behind links': {
      dockerfile: '',
      prints: 'inside',
    },
    'sources that climb': { dockerfile: 'FROM busybox\nCOPY ../../../../etc/shadow /c\n', refused: /etc\/shadow/ },
    'a source behind a link of another stage': {
      dockerfile:
        'FROM busybox AS s\nRUN ln -s / /root-of && ln -s ../../../../../../proc/1/root /r\nFROM busybox\nCOPY --from=s /root-of/etc/passwd /c\nCMD ["head", "-n1", "/c"]\n',
      prints: /^root:/,
    },
    'the init’s root is not there': {
      dockerfile: 'FROM busybox AS s\nRUN ln -s /proc/1/root /r\nFROM busybox\nCOPY --from=s /r/etc/hostname /c\n',
      refused: /r\/etc\/hostname/,
    },
    'WORKDIR and VOLUME behind links': {
      dockerfile: '',
      prints: /canary/,
    },
    'a mount whose source climbs': {
      dockerfile:
        'FROM busybox\nRUN --mount=type=bind,source=../../../../../..,target=/m ls /m > /seen\nCMD ["cat", "/seen"]\n',
      prints: 'Dockerfile',
    },
    'a mount whose source is a link': {
      dockerfile: 'FROM busybox\nRUN --mount=type=bind,source=out,target=/m cat /m/secret\n',
      entries: (outside) => [['out', 'symlink', outside]],
      refused: /./,
    },
    'a cache whose name climbs': {
      dockerfile: 'FROM busybox\nRUN --mount=type=cache,id=../../../../../canary,target=/m echo x > /m/written\n',
    },
    'an insecure step without leave': {
      dockerfile: '# syntax=docker/dockerfile:1-labs\nFROM busybox\nRUN --security=insecure mount -t tmpfs t /mnt\n',
      refused: /security\.insecure/,
    },
  },
  'what a step can do': {
    'as little as a container': {
      dockerfile: [
        'FROM busybox',
        'RUN grep -E "^(CapEff|Seccomp):" /proc/self/status > /s; \\',
        '  mount -t tmpfs t /mnt 2> /dev/null && echo mounted >> /s; \\',
        '  echo 1 2> /dev/null > /proc/sys/kernel/sysrq && echo sysctl >> /s; \\',
        '  head -c1 /proc/kcore 2> /dev/null | grep -q . && echo kcore >> /s; \\',
        '  ls /dev | grep -E "^(sd|vd|nvme|mem|kmem)" >> /s; true',
        'CMD ["cat", "/s"]',
        '',
      ].join('\n'),
      prints: 'CapEff:\t00000000a80425fb\nSeccomp:\t2',
    },
  },
};

/** Cases that are made of where the canary is, or of what is too large to write down. */
async function completed(name: string, each: Case): Promise<Case> {
  switch (name) {
    case 'a destination behind links':
      return {
        ...each,
        dockerfile: `FROM busybox\nRUN mkdir -p ${canary} && ln -s ${canary} /l && ln -s ../../../../../../..${canary} /m\nCOPY f /l/f\nCOPY f /m/g\nADD f /l/h\nRUN cat ${canary}/f ${canary}/g ${canary}/h > /all && [ "$(cat /all)" = "xxx" ]\nCMD ["echo", "inside"]\n`,
        entries: () => [['f', 'file', 'x']],
      };
    case 'WORKDIR and VOLUME behind links':
      return {
        ...each,
        dockerfile: `FROM busybox\nRUN mkdir -p ${canary} && ln -s ${canary} /l\nWORKDIR /l/w\nRUN touch made\nVOLUME /l/v\nCMD ["find", "${canary}"]\n`,
      };
    case 'names that climb, links out, hard links, devices of overlayfs': {
      const evil: Entry[] = [
        ['out', 'symlink', canary],
        ['out/written', 'file', 'x'],
        ['stolen', 'hardlink', `${canary}/secret`],
        [`../../../../../../../..${canary}/climbed`, 'file', 'x'],
      ];
      const archive = await tarOf(evil);
      return { ...each, entries: () => [['evil.tar', 'file', archive]] };
    }
    case 'a bomb': {
      const header = tarHeader('zeros', 'file', { size: 400 << 20 });
      const zeros = await tarOf([]);
      const whole = await collectBytes(writeTar([{ header, body: Buffer.alloc(400 << 20) }]), 1 << 30);
      const bomb = gzipSync(whole.length > zeros.length ? whole : zeros, { level: 1 });
      return { ...each, entries: () => [['bomb.tar.gz', 'file', bomb]] };
    }
    default:
      return each;
  }
}

for (const [table, cases] of Object.entries(tables)) {
  scenario(
    table,
    async (context) => {
      placeCanary();
      for (const [name, each] of Object.entries(cases))
        await context.test(name, async () => {
          resetPeak();
          await check(name, await completed(name, each));
          assert.ok(peak() < 400, `${name}: the daemon takes ${peak()} MB`);
        });
    },
    { timeoutMs: 120_000 },
  );
}

scenario('archives that lie', async () => {
  placeCanary();
  const good = await tarOf([['Dockerfile', 'file', 'FROM busybox\nCOPY . /c\n']]);
  const lies: Record<string, Buffer> = {
    'cut off': good.subarray(0, 520),
    'a wrong sum': Buffer.concat([good.subarray(0, 148), Buffer.from('0000000\0'), good.subarray(156)]),
    'no archive': Buffer.from('#!/bin/sh\n'.repeat(200)),
    'a gzip that breaks off': gzipSync(good).subarray(0, 60),
    'a size without an end': await sized(2 ** 40),
    'a header of headers without an end': Buffer.concat(Array.from({ length: 64 }, () => paxHeader(900_000))),
  };
  for (const [what, archive] of Object.entries(lies)) {
    resetPeak();
    const { error } = await post(archive);
    assert.notEqual(error, undefined, what);
    assert.ok(peak() < 400, `${what}: ${peak()} MB`);
  }
  assert.equal((await host.docker.run(['images', '-q', 'hostile'])).stdout.trim(), '');
  assertUntouched('lies');
});

/** A file that is announced larger than it is. */
async function sized(size: number): Promise<Buffer> {
  const archive = await collectBytes(
    writeTar([{ header: tarHeader('Dockerfile', 'file', { size: 4 }), body: Buffer.from('FROM') }]),
    1 << 20,
  );
  const header = Buffer.from(archive.subarray(0, 512));
  header.write(`${size.toString(8).padStart(11, '0')}\0`.slice(-12), 124);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, archive.subarray(512)]);
}

/** A PAX header of one record that is nothing. */
function paxHeader(length: number): Buffer {
  const record = Buffer.from(`${length} comment=${'x'.repeat(length - 10 - String(length).length)}\n`);
  const header = Buffer.alloc(512);
  header.write('PaxHeader', 0);
  header.write('0000644\0', 100);
  header.write(`${record.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('15000000000\0', 136);
  header.write('        xustar\x0000', 148);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return Buffer.concat([header, record, Buffer.alloc((512 - (record.length % 512)) % 512)]);
}

scenario('base images that mean harm', async () => {
  placeCanary();
  const root = await collectBytes(
    writeTar(
      [
        ['etc/passwd', 'symlink', join(canary, 'secret')],
        ['etc/group', 'fifo'],
        ['bin', 'directory'],
        ['tmp', 'symlink', canary],
        ['proc', 'symlink', canary],
        ['dev', 'symlink', canary],
      ].map((each) => entry(each as Entry)),
    ),
    1 << 20,
  );
  const file = join(host.daemon.root, 'evil.tar');
  writeFileSync(file, root);
  const changes = [
    'WORKDIR /../../../../tmp/w',
    'USER ../../x',
    'VOLUME /tmp/v',
    'ENV PATH=/proc/self/cwd LD_PRELOAD=/tmp/x',
    'ONBUILD COPY f /tmp/onbuild',
  ];
  await host.docker.ok('import', ...changes.flatMap((change) => ['--change', change]), file, 'evil');
  const attempts: Record<string, string> = {
    'a file': 'FROM evil\nCOPY f /tmp/f\n',
    'a file of a user': 'FROM evil\nCOPY --chown=root f /tmp/f\n',
    'an owner of the group': 'FROM evil\nCOPY --chown=0:wheel f /tmp/f\n',
    'a folder to work in': 'FROM evil\nWORKDIR /tmp/made\n',
    'from its links': 'FROM evil AS s\nFROM busybox\nCOPY --from=s /etc/passwd /c\n',
    'a command': 'FROM evil\nRUN ["/bin/true"]\n',
    'a mount over its links':
      'FROM evil\nRUN --mount=type=tmpfs,target=/tmp --mount=type=cache,target=/proc/x ["/x"]\n',
  };
  for (const [what, dockerfile] of Object.entries(attempts)) {
    const context = await tarOf([
      ['Dockerfile', 'file', dockerfile],
      ['f', 'file', 'x'],
    ]);
    const { output } = await post(context, { t: 'harm' });
    assert.ok(!output.includes(word), what);
    assertUntouched(what);
    await host.docker.run(['rmi', '-f', 'harm']);
  }
  assert.ok(!(await isSaved('evil', word)));
  await host.docker.ok('rmi', '-f', 'evil');
});

scenario(
  'a secret is in the step, and nowhere else',
  async () => {
    const token = 'tok-3f6c1d0a9b-only-for-the-step';
    const folder = buildx!.folder({
      Dockerfile: [
        'FROM busybox',
        'RUN --mount=type=secret,id=t,env=TOKEN --mount=type=secret,id=t,target=/run/secrets/file sh -c \'[ "$TOKEN" = "$(cat /run/secrets/file)" ] && [ -n "$TOKEN" ]\'',
        'RUN --mount=type=secret,id=t,target=/tmp/link/file ls -R /tmp > /seen',
        'CMD ["cat", "/seen"]',
        '',
      ].join('\n'),
      token,
    });
    const caches = join(host.daemon.root, 'secret-cache');
    const args = ['--secret', `id=t,src=${join(folder, 'token')}`, '--cache-to', `type=local,dest=${caches},mode=max`];
    const output = await buildx!.ok(['build', '--progress=rawjson', ...args, '-t', 'secret', folder]);
    const told = [
      output,
      await host.docker.ok('history', '--no-trunc', 'secret'),
      await buildx!.ok(['buildx', 'du', '--verbose']),
    ];
    for (const text of told) assert.ok(!text.includes(token));
    assert.ok(!(await isSaved('secret', token)), 'in a layer');
    const { daemon } = host;
    const unpacked = `for f in "${caches}"/blobs/sha256/*; do zcat "$f" 2> /dev/null || cat "$f"; done`;
    const kept = `cat "${daemon.logFile}"; find "${daemon.dataRoot}" "${daemon.execRoot}" -type f -exec cat {} +`;
    assert.ok(!isIn(`${unpacked}; ${kept}`, token));
    await host.docker.ok('rmi', 'secret');
  },
  { skip: noBuildx },
);

scenario('clients of the build’s wire that talk nonsense', async () => {
  const say = (door: string, bytes: Buffer): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(host.daemon.socket);
      const upgrade = `POST ${door} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nX-Docker-Expose-Session-Uuid: nonsense\r\n\r\n`;
      const timer = setTimeout(() => socket.destroy(), 1500);
      socket.on('error', () => {});
      socket.on('close', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.on('data', () => {});
      socket.write(Buffer.concat([Buffer.from(upgrade), bytes]));
    });
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const frame = (length: number, type: number, stream: number, payload = Buffer.alloc(0)): Buffer => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(length, 0, 3);
    head[3] = type;
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  };
  const nonsense = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'.repeat(1000)),
    Buffer.concat([preface, frame(0xffffff, 1, 1)]),
    Buffer.concat([
      preface,
      frame(0, 4, 0),
      ...Array.from({ length: 2000 }, (_, index) => frame(1, 9, index * 2 + 1, Buffer.of(0xff))),
    ]),
    Buffer.concat([preface, frame(0, 4, 0), ...Array.from({ length: 5000 }, () => frame(8, 6, 0, Buffer.alloc(8)))]),
    Buffer.alloc(1 << 20, 0xff),
  ];
  resetPeak();
  for (const door of ['/grpc', '/session']) for (const bytes of nonsense) await say(door, bytes);
  assert.ok(peak() < 400, `${peak()} MB`);
  await host.docker.ok('version');
});
