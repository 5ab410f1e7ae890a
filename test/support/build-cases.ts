/** Dockerfiles that a reference builder and Wherry build from the same files: what comes out must be the same. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { entry, tar } from './images.ts';

export interface BuildCase {
  name: string;
  dockerfile: string;
  args?: Readonly<Record<string, string>>;
  target?: string;
  labels?: Readonly<Record<string, string>>;
  /** More named contexts, relative to the folder of contexts. */
  contexts?: Readonly<Record<string, string>>;
  /** The context; `common` unless said. */
  context?: string;
}

/** What the contexts hold; times are of 2020, so that a copied time is known from a new one. */
export async function writeContexts(root: string): Promise<void> {
  await common(join(root, 'common'));
  ignoring(join(root, 'ignoring'), '*.md\n!keep.md\n# no pattern\nout\n**/tmp\ndocs/*\n!docs/kept.txt\n/top.txt\n');
  ignoring(join(root, 'ignoring-all'), '*\n!src\nsrc/*.md\n!src/deep/**\n');
  other(join(root, 'other'));
  settle(root);
}

async function common(root: string): Promise<void> {
  mkdirSync(root);
  write(root, {
    'a.txt': 'a\n',
    'b.md': '# b\n',
    'dir/c.txt': 'c\n',
    'dir/d/e.txt': 'e\n',
    'dir/.hidden': 'hidden\n',
    'dir/d/f.md': 'f\n',
    'spaced name.txt': 'spaced\n',
    'öäü.txt': 'umlauts\n',
    'x[1].txt': 'brackets\n',
    'deep/one/two/three/file.txt': 'deep\n',
    'deep/one/other.txt': 'other\n',
    'deep/two/two/file.txt': 'second\n',
    'run.sh': '#!/bin/sh\necho ran\n',
    'many/1.txt': '1',
    'many/2.txt': '2',
    'many/3.md': '3',
    'many/10.txt': '10',
  });
  mkdirSync(join(root, 'empty'));
  chmodSync(join(root, 'run.sh'), 0o755);
  chmodSync(join(root, 'b.md'), 0o600);
  chmodSync(join(root, 'dir/d'), 0o710);
  write(root, { suid: 'suid' });
  chmodSync(join(root, 'suid'), 0o4755);
  mkdirSync(join(root, 'sticky'));
  chmodSync(join(root, 'sticky'), 0o1777);
  symlinkSync('a.txt', join(root, 'link'));
  symlinkSync('dir', join(root, 'dirlink'));
  symlinkSync('/etc/passwd', join(root, 'outlink'));
  symlinkSync('nowhere', join(root, 'dangling'));
  mkdirSync(join(root, 'links'));
  write(root, { 'links/one': 'linked\n' });
  linkSync(join(root, 'links/one'), join(root, 'links/two'));
  symlinkSync('one', join(root, 'links/soft'));
  const archive = await tar([
    entry('in/', 'directory', { mode: 0o750 }),
    entry('in/file', 'file', { body: 'from an archive\n', mode: 0o640 }),
    entry('in/owned', 'file', { body: 'owned\n', uid: 1234, gid: 5678 }),
    entry('in/soft', 'symlink', { linkName: 'file' }),
    entry('in/hard', 'hardlink', { linkName: 'in/file', mode: 0o640 }),
  ]);
  writeFileSync(join(root, 'archive.tar'), archive);
  writeFileSync(join(root, 'archive.tar.gz'), gzipSync(archive));
  writeFileSync(join(root, 'archive.tar.zst'), zstdCompressSync(archive));
  for (const [program, ending] of [
    ['bzip2', 'bz2'],
    ['xz', 'xz'],
  ] as const) {
    try {
      writeFileSync(join(root, `archive.tar.${ending}`), execFileSync(program, ['-c'], { input: archive }));
    } catch {
      // The case that needs it fails and says so.
    }
  }
  writeFileSync(join(root, 'plain.gz'), gzipSync('no archive inside\n'));
}

function ignoring(root: string, rules: string): void {
  mkdirSync(root);
  write(root, {
    '.dockerignore': rules,
    'readme.md': 'readme',
    'keep.md': 'keep',
    'top.txt': 'top',
    'out/left': 'left',
    'src/main.c': 'main',
    'src/notes.md': 'notes',
    'src/deep/tmp/x': 'x',
    'src/deep/kept.md': 'kept',
    'docs/gone.txt': 'gone',
    'docs/kept.txt': 'kept',
  });
}

function other(root: string): void {
  mkdirSync(root);
  write(root, { 'o.txt': 'other\n', 'sub/p.txt': 'p\n' });
}

function write(root: string, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), content);
  }
}

const then = new Date('2020-01-02T03:04:05Z');

/** From the bottom up: a folder's time changes with what is in it. */
function settle(path: string): void {
  for (const each of readdirSync(path, { withFileTypes: true })) {
    const at = join(path, each.name);
    if (each.isDirectory()) settle(at);
    else if (each.isSymbolicLink()) lutimesSync(at, then, then);
    else utimesSync(at, then, then);
  }
  utimesSync(path, then, then);
}

type Case = readonly [name: string, dockerfile: string, more?: Omit<BuildCase, 'name' | 'dockerfile'>];

const from = 'FROM busybox\n';

const copies: readonly Case[] = [
  ['copy-file', `${from}COPY a.txt /a.txt`],
  ['copy-file-to-folder', `${from}COPY a.txt /new/folder/`],
  ['copy-file-to-name', `${from}COPY a.txt /new/name`],
  ['copy-file-to-existing-folder', `${from}RUN mkdir /there\nCOPY a.txt /there`],
  ['copy-two', `${from}COPY a.txt b.md /two/`],
  ['copy-folder', `${from}COPY dir /dir`],
  ['copy-folder-slash', `${from}COPY dir/ /dir/`],
  ['copy-folder-into-existing', `${from}RUN mkdir -p /dir/kept && chmod 700 /dir\nCOPY dir /dir`],
  ['copy-all', `${from}COPY . /all/`],
  ['copy-to-root', `${from}COPY dir /`],
  ['copy-to-workdir', `${from}WORKDIR /w\nCOPY a.txt .\nCOPY dir sub/\nCOPY b.md ./x/`],
  ['copy-dot-to-dot', `${from}WORKDIR /w\nCOPY many .`],
  ['copy-glob', `${from}COPY many/*.txt /m/`],
  ['copy-glob-question', `${from}COPY many/?.txt /m/`],
  ['copy-glob-class', `${from}COPY many/[12].txt /m/`],
  ['copy-glob-folders', `${from}COPY dir* /m/`],
  ['copy-glob-escaped', `${from}COPY x[[]1].txt /m/`],
  ['copy-two-to-a-name', `${from}COPY a.txt b.md /x`],
  ['copy-globs', `${from}COPY many/*.txt dir/*.txt /m/`],
  ['copy-json', `${from}COPY ["spaced name.txt", "/with space/"]`],
  ['copy-unicode', `${from}COPY öäü.txt /ö/`],
  ['copy-link', `${from}COPY link /link`],
  ['copy-link-to-folder', `${from}COPY link /l/`],
  ['copy-dirlink', `${from}COPY dirlink /d`],
  ['copy-dirlink-below', `${from}COPY dirlink/c.txt /d`],
  ['copy-hard-links', `${from}COPY links /links`],
  ['copy-empty-folder', `${from}COPY empty /empty`],
  ['copy-sticky', `${from}COPY sticky /sticky`],
  ['copy-suid', `${from}COPY suid /suid`],
  ['copy-exec', `${from}COPY run.sh /usr/bin/run\nRUN run > /ran`],
  ['copy-over-file', `${from}RUN echo old > /a.txt && chmod 700 /a.txt\nCOPY a.txt /a.txt`],
  ['copy-over-link', `${from}RUN echo old > /target && ln -s /target /a.txt\nCOPY a.txt /a.txt`],
  ['copy-into-linked-folder', `${from}RUN mkdir /real && ln -s real /soft\nCOPY a.txt /soft/`],
  ['copy-folder-over-linked-folder', `${from}RUN mkdir /real && ln -s /real /soft\nCOPY dir /soft`],
  ['copy-through-absolute-link', `${from}RUN mkdir -p /x/y && ln -s /x/y /z\nCOPY dir/c.txt /z/c`],
  ['copy-dotdot-destination', `${from}WORKDIR /one/two\nCOPY a.txt ../up/`],
  ['copy-chown', `${from}COPY --chown=1000:1001 dir /dir`],
  ['copy-chown-user', `${from}COPY --chown=1000 a.txt /a`],
  ['copy-chown-name', `${from}COPY --chown=nobody:staff a.txt /a`, {}],
  ['copy-chown-unknown', `${from}COPY --chown=nosuch:nosuch a.txt /a`],
  ['copy-chown-new-folders', `${from}COPY --chown=7:8 a.txt /one/two/a`],
  ['copy-chmod', `${from}COPY --chmod=0640 dir /dir`],
  ['copy-chmod-755', `${from}COPY --chmod=755 a.txt /one/a`],
  ['copy-chmod-suid', `${from}COPY --chmod=4711 a.txt /a`],
  ['copy-chmod-symbolic', `${from}COPY --chmod=u=rwX,go=rX dir /dir`],
  ['copy-chmod-new-folders', `${from}COPY --chmod=0640 a.txt /one/two/a`],
  ['copy-chmod-new-folders-symbolic', `${from}COPY --chmod=u=rw,go= a.txt /one/a`],
  ['copy-chmod-existing-folder', `${from}RUN mkdir -m 0711 /there\nCOPY --chmod=0640 dir /there`],
  ['copy-chmod-folder-new-folders', `${from}COPY --chmod=0750 dir/ /one/two/`],
  ['copy-chown-chmod', `${from}COPY --chown=3:4 --chmod=0604 a.txt b.md /x/`],
  ['copy-link-flag', `${from}COPY --link a.txt /one/two/a`],
  ['copy-link-flag-folder', `${from}COPY --link dir /dir\nRUN ls /dir > /list`],
  ['copy-link-chown', `${from}COPY --link --chown=9:9 dir /dir`],
  ['copy-exclude', `${from}COPY --exclude=*.md dir /dir`],
  ['copy-exclude-deep', `${from}COPY --exclude=**/*.md --exclude=.hidden dir /dir`],
  ['copy-exclude-glob', `${from}COPY --exclude=10.txt many/* /m/`],
  ['copy-exclude-named', `${from}COPY --exclude=a.txt a.txt b.md /m/`],
  ['copy-exclude-in-glob', `${from}COPY --exclude=e.txt dir/* /m/`],
  ['copy-empty-and-full', `${from}COPY empty links /z/`],
  ['copy-heredoc', `${from}COPY <<EOF /h\nhello\n  indented\nEOF`],
  ['copy-heredoc-quoted', `${from}ENV X=y\nCOPY <<"EOF" /h\n$X \${X}\nEOF`],
  ['copy-heredoc-expanded', `${from}ENV X=y\nCOPY <<EOF /h\n$X \${X:-z} \\$X\nEOF`],
  ['copy-heredoc-tabs', `${from}COPY <<-EOF /h\n\t\ttabs\n\tgone\n\tEOF`],
  ['copy-heredocs', `${from}COPY <<one <<two a.txt /h/\n1\none\n2\ntwo`],
  ['copy-heredoc-owner', `${from}COPY --chown=5:6 --chmod=0751 <<run /bin/thing\n#!/bin/sh\nrun`],
  [
    'copy-from-stage',
    `${from}RUN mkdir /s && echo s > /s/f && chown 5:6 /s/f && chmod 0640 /s/f\n${from}COPY --from=0 /s /t`,
  ],
  ['copy-from-name', `FROM busybox AS one\nRUN echo x > /x\n${from}COPY --from=one /x /y`],
  ['copy-from-image', `FROM scratch\nCOPY --from=busybox /bin/busybox /bin/sh`],
  ['copy-from-stage-link', `FROM busybox AS one\nRUN echo x > /x && ln -s x /l\n${from}COPY --from=one /l /y`],
  [
    'copy-from-stage-glob',
    `FROM busybox AS one\nRUN mkdir /g && touch /g/a.1 /g/b.1 /g/c.2\n${from}COPY --from=one /g/*.1 /h/`,
  ],
  [
    'copy-from-stage-chown',
    `FROM busybox AS one\nRUN mkdir /g && touch /g/a && chown 1:2 /g/a\n${from}COPY --from=one --chown=3:4 /g /h`,
  ],
  ['copy-from-context', `${from}COPY --from=more o.txt sub/p.txt /o/`, { contexts: { more: 'other' } }],
  ['copy-from-scratch-stage', `FROM scratch AS s\nCOPY a.txt /only\n${from}COPY --from=s / /s/`],
  ['copy-variables', `${from}ARG NAME=a\nENV TO=/to\nCOPY \${NAME}.txt $TO/`, {}],
  ['copy-escape-backtick', `# escape=\`\n${from}COPY a.txt \`\n  /a`],
  ['copy-long-path', `${from}COPY a.txt /${'long/'.repeat(30)}a.txt`],
];

const adds: readonly Case[] = [
  ['add-file', `${from}ADD a.txt /a`],
  ['add-tar', `${from}ADD archive.tar /x`],
  ['add-tar-slash', `${from}ADD archive.tar /x/`],
  ['add-tar-gz', `${from}ADD archive.tar.gz /x/`],
  ['add-tar-bz2', `${from}ADD archive.tar.bz2 /x/`],
  ['add-tar-xz', `${from}ADD archive.tar.xz /x/`],
  ['add-tar-zst', `${from}ADD archive.tar.zst /x/`],
  ['add-tar-to-root', `${from}ADD archive.tar /`],
  ['add-tar-no-unpack', `${from}ADD --unpack=false archive.tar /x/`],
  ['add-gz-that-is-no-tar', `${from}ADD plain.gz /x/`],
  ['add-tar-chown', `${from}ADD --chown=11:12 archive.tar /x/`],
  ['add-tar-and-file', `${from}ADD archive.tar a.txt /x/`],
  ['add-folder', `${from}ADD dir /dir`],
  ['add-tar-chmod', `${from}ADD --chmod=0600 archive.tar /x/`],
  ['add-glob', `${from}ADD archive.tar* /x/`],
  ['add-chmod', `${from}ADD --chmod=0600 a.txt /x/`],
  ['add-heredoc', `${from}ADD <<EOF /h\nadded\nEOF`],
  ['add-link', `${from}ADD --link archive.tar /linked/`],
  ['copy-does-not-unpack', `${from}COPY archive.tar /x/`],
];

const runs: readonly Case[] = [
  ['run-shell', `${from}RUN echo one > /f && echo two >> /f`],
  ['run-exec', `${from}RUN ["sh", "-c", "echo exec > /f"]`],
  ['run-heredoc', `${from}RUN <<EOF\nset -e\necho one > /f\necho two >> /f\nEOF`],
  ['run-heredoc-interpreter', `${from}RUN <<EOF cat > /f\ntext $HOME\nEOF`],
  ['run-heredoc-shebang', `${from}RUN <<EOF\n#!/bin/sh\necho shebang > /f\nEOF`],
  ['run-heredocs', `${from}RUN <<one cat > /1 && <<two cat > /2\nfirst\none\nsecond\ntwo`],
  ['run-continuation', `${from}RUN echo a \\\n# a comment\n\n  b > /f`],
  ['run-env', `${from}ENV A=1 B="two words"\nRUN echo "$A $B" > /f`],
  ['run-arg', `${from}ARG A=default\nRUN echo $A > /f`, { args: { A: 'given' } }],
  ['run-arg-default', `${from}ARG A=default\nRUN echo $A > /f`],
  ['run-global-arg', `ARG V=latest\nFROM busybox:$V\nARG V\nRUN echo $V > /f`],
  ['run-workdir', `${from}WORKDIR /a/b\nRUN pwd > /f && touch here`],
  ['run-user', `${from}RUN mkdir /w && chmod 777 /w\nUSER 1000:1000\nRUN id -u > /w/f && id -g >> /w/f && touch /w/g`],
  ['run-user-name', `${from}RUN mkdir /w && chmod 777 /w\nUSER www-data\nRUN id -u > /w/f && touch /w/g`],
  ['run-delete', `${from}RUN mkdir /d && touch /d/a /d/b\nRUN rm /d/a`],
  ['run-delete-folder', `${from}RUN mkdir -p /d/e && touch /d/e/f\nRUN rm -r /d`],
  ['run-replace-folder', `${from}RUN mkdir /d && touch /d/old\nRUN rm -r /d && mkdir /d && touch /d/new`],
  ['run-folder-to-file', `${from}RUN mkdir /d && touch /d/old\nRUN rm -r /d && echo file > /d`],
  ['run-file-to-link', `${from}RUN echo x > /f\nRUN rm /f && ln -s /etc/passwd /f`],
  ['run-rename', `${from}RUN mkdir /d && echo x > /d/a\nRUN mv /d/a /d/b`],
  ['run-hard-link', `${from}RUN echo x > /a && ln /a /b`],
  ['run-hard-link-later', `${from}RUN echo x > /a\nRUN ln /a /b`],
  ['run-fifo', `${from}RUN mkfifo /pipe`],
  ['run-modes', `${from}RUN touch /f && chmod 4750 /f && mkdir /t && chmod 1777 /t && touch /g && chmod 2755 /g`],
  ['run-chown', `${from}RUN touch /f && chown 70000:70001 /f`],
  ['run-chmod-later', `${from}RUN touch /f\nRUN chmod 600 /f`],
  ['run-nothing', `${from}RUN true`],
  ['run-nothing-twice', `${from}RUN true\nRUN true`],
  ['run-shell-instruction', `${from}SHELL ["/bin/sh", "-ec"]\nRUN echo x > /f`],
  [
    'run-mount-bind',
    `${from}RUN --mount=type=bind,target=/ctx cp /ctx/a.txt /copied && touch -d '2020-01-01 01:02:03' /copied`,
  ],
  ['run-mount-bind-source', `${from}RUN --mount=target=/x,source=dir/c.txt cat /x > /f`],
  [
    'run-mount-bind-stage',
    `FROM busybox AS one\nRUN echo x > /x\n${from}RUN --mount=from=one,source=/x,target=/y cat /y > /f`,
  ],
  ['run-mount-bind-rw', `${from}RUN --mount=type=bind,target=/ctx,rw touch /ctx/new && ls /ctx/new > /f`],
  [
    'run-mount-cache',
    `${from}RUN --mount=type=cache,target=/cache,id=run-mount-cache echo x > /cache/y && cat /cache/y > /f`,
  ],
  [
    'run-mount-cache-owner',
    `${from}RUN --mount=type=cache,target=/cache,id=owned,uid=5,gid=6,mode=0700 stat -c '%u %g %a' /cache > /f`,
  ],
  ['run-mount-tmpfs', `${from}RUN --mount=type=tmpfs,target=/t touch /t/x && ls /t > /f`],
  ['run-mount-leaves-folder', `${from}RUN --mount=type=tmpfs,target=/new/mount true`],
  ['run-network-none', `${from}RUN --network=none ls /sys/class/net > /f`],
  ['run-network-host', `${from}RUN --network=default true && echo y > /f`],
  ['run-hosts-stay-out', `${from}RUN cat /etc/hosts > /dev/null && echo x > /f`],
  ['run-hostname', `${from}RUN hostname > /f`],
  ['run-umask', `${from}RUN umask > /f`],
  ['run-capabilities', `${from}RUN grep Cap /proc/self/status > /f`],
  ['run-env-is-clean', `${from}RUN env | grep -v -e HOSTNAME -e _proxy | sort > /f`],
  ['run-stdin', `${from}RUN cat > /f`],
  ['run-devices', `${from}RUN ls /dev | grep -v core > /f`],
  ['run-mounts-masked', `${from}RUN cat /proc/timer_list > /f 2>&1; ls /proc/scsi >> /f 2>&1; true`],
  ['run-sparse', `${from}RUN dd if=/dev/zero of=/sparse bs=1 count=1 seek=1048576 2>/dev/null`],
  ['run-times', `${from}RUN touch -d '2001-02-03 04:05:06' /f && mkdir /d && touch -d '2002-02-03 04:05:06' /d`],
];

const configs: readonly Case[] = [
  ['env', `${from}ENV A=1 B=2\nENV C three words\nENV A=again`],
  ['env-expansion', `${from}ENV A=/x\nENV B=$A/y C=\${A:+set} D=\${N:-none} E=\${A%x}\nRUN echo $B $C $D $E > /f`],
  ['label', `${from}LABEL a=1 b="two words"\nLABEL a=again "c.d"=e`, { labels: { given: 'here', a: 'last' } }],
  ['cmd-shell', `${from}CMD echo hi`],
  ['cmd-exec', `${from}CMD ["echo", "hi"]`],
  ['entrypoint-resets-cmd', `${from}CMD ["x"]\nENTRYPOINT ["/bin/sh"]`],
  ['entrypoint-shell', `${from}ENTRYPOINT exec top`],
  ['entrypoint-and-cmd', `${from}ENTRYPOINT ["/bin/echo"]\nCMD ["a", "b"]`],
  ['expose', `${from}EXPOSE 80 443/tcp 53/udp\nEXPOSE 8000-8003`],
  ['volume', `${from}VOLUME /data\nVOLUME ["/a", "/b c"]`],
  ['volume-then-write', `${from}VOLUME /data\nRUN mkdir -p /data && echo kept > /data/f`],
  ['user', `${from}USER nobody\nUSER 1000:1000`],
  ['workdir', `${from}WORKDIR /one\nWORKDIR two\nWORKDIR ../three`],
  ['workdir-existing', `${from}WORKDIR /tmp`],
  ['workdir-variable', `${from}ENV D=/data\nWORKDIR $D/x`],
  ['workdir-user', `${from}USER 1000\nWORKDIR /owned`],
  ['stopsignal', `${from}STOPSIGNAL SIGINT`],
  ['stopsignal-number', `${from}STOPSIGNAL 9`],
  [
    'healthcheck',
    `${from}HEALTHCHECK --interval=5m --timeout=3s --start-period=1s --start-interval=2s --retries=4 CMD wget -q localhost || exit 1`,
  ],
  ['healthcheck-exec', `${from}HEALTHCHECK CMD ["true"]`],
  ['healthcheck-none', `${from}HEALTHCHECK CMD true\nHEALTHCHECK NONE`],
  ['maintainer', `${from}MAINTAINER Somebody <some@body.example>`],
  ['shell', `${from}SHELL ["/bin/sh", "-x", "-c"]\nCMD echo x`],
  ['onbuild', `${from}ONBUILD RUN echo later > /f\nONBUILD COPY a.txt /`],
  ['onbuild-stage', `FROM busybox AS one\nONBUILD RUN echo later > /f\nFROM one`],
  ['arg-in-history', `${from}ARG A=1\nARG B\nRUN echo x > /f`, { args: { B: '2' } }],
  ['scratch', `FROM scratch\nCOPY a.txt /`],
  ['scratch-config', `FROM scratch\nLABEL only=config`],
  ['only-from', `FROM busybox`],
  ['target', `FROM busybox AS one\nRUN echo one > /f\nFROM busybox AS two\nRUN echo two > /f`, { target: 'one' }],
  ['stage-on-stage', `FROM busybox AS one\nENV A=1\nWORKDIR /w\nRUN echo one > f\nFROM one AS two\nRUN echo $A > g`],
  ['unused-stage', `FROM busybox AS unused\nRUN false\n${from}RUN echo x > /f`],
  [
    'diamond',
    `FROM busybox AS base\nRUN echo b > /b\nFROM base AS l\nRUN echo l > /l\nFROM base AS r\nRUN echo r > /r\nFROM base\nCOPY --from=l /l /\nCOPY --from=r /r /`,
  ],
  [
    'platform-args',
    `${from}ARG TARGETPLATFORM TARGETOS TARGETARCH BUILDPLATFORM\nRUN echo $TARGETPLATFORM $TARGETOS $TARGETARCH $BUILDPLATFORM > /f`,
  ],
  ['case-insensitive', `from busybox\nrun echo x > /f\nCmd ["x"]`],
  ['comments', `# first\n${from}# between\nRUN echo '# no comment' > /f # part of the command`],
  [
    'named-context-replaces-stage',
    `FROM busybox AS base\nRUN false\nFROM base\nRUN echo x > /f`,
    { contexts: { base: 'docker-image://busybox' } },
  ],
];

const ignored: readonly Case[] = [
  ['ignore', `${from}COPY . /all/`, { context: 'ignoring' }],
  ['ignore-folder', `${from}COPY docs /docs`, { context: 'ignoring' }],
  ['ignore-glob', `${from}COPY *.md /md/`, { context: 'ignoring' }],
  ['ignore-all-but', `${from}COPY . /all/`, { context: 'ignoring-all' }],
  ['ignore-all-but-src', `${from}COPY src /src`, { context: 'ignoring-all' }],
  ['ignore-bind', `${from}RUN --mount=target=/c cd /c && find . | sort > /f`, { context: 'ignoring' }],
];

export const buildCases: readonly BuildCase[] = [...copies, ...adds, ...runs, ...configs, ...ignored].map(
  ([name, dockerfile, more]) => ({ name, dockerfile: `${dockerfile}\n`, ...more }),
);

/** Files that cannot be built, and why in the reference's words. */
export const failingBuilds: readonly BuildCase[] = (
  [
    ['no-such-file', `${from}COPY nothing /`],
    ['no-such-file-of-two', `${from}COPY a.txt nothing /x/`],
    ['outside', `${from}COPY ../secret /`],
    ['no-such-stage', `${from}COPY --from=nowhere.invalid/x /a /`],
    ['ignored-file', `${from}COPY top.txt /`, { context: 'ignoring' }],
    ['file-as-folder', `${from}RUN touch /f\nCOPY a.txt /f/x`],
    ['exit-code', `${from}RUN exit 42`],
    ['no-such-program', `${from}RUN ["/no/such/program"]`],
    ['no-such-user', `${from}USER nosuch\nRUN true`],
    ['owner-without-names', `FROM scratch\nCOPY --chown=nosuch a.txt /a`],
    ['bad-mode', `${from}COPY --chmod=9999 a.txt /`],
    ['unknown-instruction', `${from}RUM true`],
    ['unknown-flag', `${from}COPY --nope a.txt /`],
    ['no-from', `RUN true`],
    ['empty', ``],
    ['required-variable', `${from}ARG A\nENV B=\${A:?is needed}`],
    ['secret-not-there', `${from}RUN --mount=type=secret,id=nosuch,required cat /run/secrets/nosuch`],
    ['mount-source-not-there', `${from}RUN --mount=type=bind,source=nothing,target=/x true`],
    ['bad-signal', `${from}STOPSIGNAL SIGNOPE`],
    ['no-such-target', `${from}RUN true`, { target: 'nosuch' }],
    ['cycle', `FROM b AS a\nFROM a AS b`],
    ['checksum', `${from}ADD --checksum=sha256:${'0'.repeat(64)} a.txt /`],
    ['add-broken-flag', `${from}ADD --checksum=x a.txt /`],
    ['heredoc-without-end', `${from}RUN <<EOF\ntrue`],
    ['bad-env', `${from}ENV`],
    ['bad-expose', `${from}EXPOSE 99999999`],
    ['bad-healthcheck', `${from}HEALTHCHECK --interval=x CMD true`],
    ['bad-json-from', `FROM busybox as 1bad`],
    ['insecure', `${from}RUN --security=insecure true`],
  ] satisfies readonly Case[]
).map(([name, dockerfile, more]) => ({ name, dockerfile: `${dockerfile}\n`, ...more }));
