/**
 * The same commands of the stock CLI on the reference dockerd (Debian's docker.io, 20.10) and on Wherry, at the same API version:
 * exit codes, output and error texts are compared after ids, times, addresses and sizes are made alike. Where Docker itself changed
 * its words after 20.10, `since` says how; where a difference stays, `differs` says why.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { sharedDaemon } from '../support/daemon.ts';
import { type Docker, type Outcome } from '../support/docker.ts';
import { busyboxImage } from '../support/images.ts';
import { ReferenceEngine } from '../support/peers.ts';

const host = await sharedDaemon({ expectedErrors: [/request failed/] });
let skip: string | undefined;
let reference: ReferenceEngine | undefined;
try {
  reference = await ReferenceEngine.open();
  await reference.docker.ok('load', '-q', '-i', await busyboxImage());
} catch (error) {
  skip = `no reference dockerd: ${(error as Error).message.split('\n')[0]}`;
}
after(async () => {
  await reference?.[Symbol.asyncDispose]();
});

/** Docker's own words of 20.10 (left) became those of 28 (right). */
const since: readonly (readonly [RegExp, string])[] = [
  [
    /You cannot remove a running container ID\. Stop the container before attempting removal or force remove/,
    'cannot remove container "/NAME": container is running: stop the container before removing or force remove',
  ],
  [
    /Cannot kill container: (\S+): Container ID is not running/,
    'cannot kill container: $1: container ID is not running',
  ],
  [/Invalid signal: /, 'invalid signal: '],
  [/Container (ID|\S+) is not running/, 'container $1 is not running'],
  [/Container (ID|\S+) is paused/, 'container $1 is paused'],
  [/failed to create shim task: OCI/, 'failed to create task for container: failed to create shim task: OCI'],
  [/Invalid filter '/, "invalid filter '"],
  [
    /invalid restart policy 'nope'/,
    "invalid restart policy: unknown policy 'nope'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
  ],
  [/Range of CPUs is/, 'range of CPUs is'],
];

interface Step {
  readonly line: string;
  readonly input?: string;
  /** Why the two differ; then only the exit code is compared. */
  readonly differs?: string;
  /** Why even the exit code differs. */
  readonly codeDiffers?: string;
  /** Compares the lines in any order. */
  readonly unordered?: boolean;
}

const at = (line: string, more: Omit<Step, 'line'> = {}): Step => ({ line, ...more });

/** Words are split at spaces; '…' keeps one together; FOLDER is a folder with a few files. */
const steps: readonly Step[] = [
  at('ps -a'),
  at('images --format {{.Repository}}:{{.Tag}}'),
  at('run --rm busybox echo hi'),
  at("run --rm busybox sh -c 'echo out; echo err >&2; exit 7'"),
  at('run --rm -i busybox cat', { input: 'some input\n' }),
  at('run --rm busybox nope'),
  at('run --rm busybox /nope'),
  at('run --rm busybox /etc/passwd'),
  at('run --rm absent/image:1', { differs: 'the network is not reached; each resolver has its own words' }),
  at('run --rm --pull never absent:1', { differs: '28 says No such image where 20.10 did, the CLI prints the rest' }),
  at('run --rm -e A=1 -e B busybox env', { unordered: true }),
  at("run --rm -w /tmp/x -u 33:50 busybox sh -c 'pwd; id'"),
  at('run --rm -h box busybox hostname'),
  at("run --rm --tmpfs /t:size=1m busybox sh -c 'grep -c /t /proc/mounts'"),
  at('run --rm --read-only busybox touch /x'),
  at('run --rm --cap-drop ALL busybox grep CapEff /proc/self/status'),
  at('run --rm busybox grep CapEff /proc/self/status'),
  at('run --rm busybox grep -E Seccomp: /proc/self/status'),
  at('run --rm --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status'),
  at("run --rm busybox sh -c 'ls /dev | grep -v core'"),
  at('run --rm busybox sh -c \'cut -d" " -f2,3 /proc/mounts | grep -v cgroup\'', {
    unordered: true,
    differs: 'masked paths follow 28: /proc/interrupts and powercap are hidden, too',
  }),
  at("run --rm busybox sh -c 'ulimit -n'", { differs: 'the limit is inherited from how each daemon was started' }),
  at('run --rm --ulimit nofile=64:128 busybox sh -c ulimit'),
  at('run --rm --entrypoint echo busybox a b'),
  at('run --rm -u nouser busybox true'),
  at('run --rm --network nonet busybox true', {
    differs: '28 sets up networks before the task, 20.10 after: the same reason in other words',
  }),
  at('run --rm -m 1m busybox true'),
  at('run --rm --cpus 999 busybox true'),
  at('run --rm --restart always busybox true'),
  at('run --rm -v rel/path:/x busybox true'),
  at('run --rm -v /x busybox ls -d /x'),
  at('run --rm --mount type=bind,src=/nonexistent,dst=/x busybox true'),
  at('run --rm --mount type=nope,dst=/x busybox true'),
  at('run --rm --device /dev/nope busybox true'),
  at('run --rm --security-opt what busybox true'),
  at('run --rm --cap-add NOPE busybox true'),
  at('run --rm --ipc container:nobody busybox true'),
  at('create --name c1 busybox sleep 600'),
  at('create --name c1 busybox'),
  at('create --name -bad busybox'),
  at('ps -a --format {{.Names}}|{{.Image}}|{{.Command}}|{{.State}}'),
  at('start c1'),
  at('start c1'),
  at('rm c1'),
  at('exec c1 echo in'),
  at('exec c1 sh -c nope', {}),
  at('exec c1 nope', { codeDiffers: '127 since 23, 126 before' }),
  at('exec -u 33 -w /tmp -e K=v c1 env', { unordered: true }),
  at('exec -i c1 wc -c', { input: '12345' }),
  at('exec nobody true'),
  at('top c1 -o comm'),
  at('port c1'),
  at('pause c1'),
  at('pause c1'),
  at('exec c1 true'),
  at('ps --format {{.Status}}'),
  at('unpause c1'),
  at('unpause c1'),
  at('rename c1 c2'),
  at('rename nobody c3'),
  at('kill -s NOPE c2'),
  at('kill -s KILL c2'),
  at('wait c2'),
  at('kill c2'),
  at('inspect -f {{.State.Status}}/{{.State.ExitCode}}/{{.State.OOMKilled}}/{{.State.Error}} c2'),
  at('inspect -f {{json .HostConfig.RestartPolicy}} c2'),
  at('inspect -f {{json .Config}} c2'),
  at('inspect -f {{json .Mounts}} c2'),
  at('inspect nobody'),
  at('attach c2'),
  at('top c2'),
  at('stop c2'),
  at('rm c2'),
  at('rm c2'),
  at("run -d --name l1 busybox sh -c 'echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three'"),
  at('wait l1'),
  at('logs l1'),
  at('logs -n 1 l1'),
  at('logs --since 2h --until 1h l1'),
  at('logs nobody'),
  at("run --name d1 busybox sh -c 'echo x >> /etc/passwd; mkdir /new; rm /etc/group'"),
  at('diff d1', { unordered: true }),
  at('commit -m msg -c \'CMD ["echo","committed"]\' d1 img:1'),
  at('run --rm img:1'),
  at('history --format {{.CreatedBy}}|{{.Comment}} img:1'),
  at('image inspect -f {{json .Config.Cmd}}{{.Comment}}{{.Os}} img:1'),
  at('tag img:1 img:2'),
  at('tag nothing x'),
  at('tag img:1 Bad//Name'),
  at('rmi img:2'),
  at('rmi img:1'),
  at('rmi img:1'),
  at('rmi busybox', { differs: 'the container named is any of those that use the image' }),
  at('cp FOLDER/f d1:/tmp/f'),
  at('cp FOLDER/f d1:/no/where'),
  at('cp d1:/none -'),
  at('cp d1:/new FOLDER/out'),
  at('cp FOLDER/d d1:/etc/passwd'),
  at('rm d1 l1'),
  at('volume create v1'),
  at('volume create v1'),
  at('volume create bad/name'),
  at('volume ls'),
  at('volume inspect -f {{.Name}}|{{.Driver}}|{{.Scope}}|{{json .Labels}}|{{json .Options}} v1'),
  at('volume inspect nope'),
  at('run --rm -v v1:/v busybox touch /v/f'),
  at('run --rm -v v1:/v:ro busybox touch /v/f'),
  at('volume rm v1'),
  at('volume rm v1'),
  at('network create n1'),
  at('network create n1'),
  at('network create --driver nope n2'),
  at('network create --subnet 10.217.1.0/24 --gateway 10.218.0.1 n3'),
  at('network inspect -f {{.Name}}|{{.Driver}}|{{.Scope}}|{{.Internal}}|{{json .Labels}} n1'),
  at('network inspect nope'),
  at('run -d --name n1a --network n1 --network-alias al busybox sleep 600'),
  at("exec n1a sh -c 'grep nameserver /etc/resolv.conf'"),
  at('network connect n1 n1a'),
  at('network disconnect nope n1a'),
  at('network rm n1'),
  at('network rm bridge'),
  at('network rm nope'),
  at('rm -f n1a'),
  at('network rm n1'),
  at('run -d --name p1 -p 127.0.0.1::80 --health-cmd true --health-interval 1s busybox sleep 600'),
  at('port p1'),
  at('port p1 81'),
  at('ps --format {{.Names}}|{{.Ports}}'),
  at('ps --filter bogus=1'),
  at('ps -a --filter publish=80 --format {{.Names}}'),
  at('update --restart nope p1'),
  at('update --cpus 0.5 p1'),
  at('stop -t 0 p1'),
  at('inspect -f {{.State.ExitCode}} p1'),
  at('rm p1'),
  at('rm -f nobody'),
  at('load', { input: 'not a tar', differs: '28 says invalid archive, 20.10 passed on what tar said' }),
  at('import -', { input: '', differs: 'an empty archive: 20.10 makes an image of it', codeDiffers: 'as said' }),
  at('search', {}),
  at('node ls'),
  at('container prune -f'),
  at('system df --format {{.Type}}|{{.TotalCount}}|{{.Active}}'),
];

function words(line: string, folder: string): string[] {
  return (line.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^'(.*)'$/s, '$1').replace('FOLDER', folder));
}

function alike(text: string, unordered: boolean): string {
  const plain = text
    .replaceAll(/sha256:[0-9a-f]{64}/g, 'DIGEST')
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID')
    .replaceAll(/\b[0-9a-f]{12}\b/g, 'SHORT')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z?/g, 'TIME')
    .replaceAll(/(?:\d+|a|an|About an?|Less than a) (second|minute)s?( ago)?/gi, 'AGO')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replaceAll(/\[?::1?\]?:\d{4,5}/g, '[::]:PORT')
    .replaceAll(/Total reclaimed space: .*/g, 'Total reclaimed space: SIZE')
    .replaceAll(/\d+(\.\d+)?[kKM]?B\b/g, 'SIZE')
    .replaceAll(/"\/c[12]"/g, '"/NAME"')
    .replaceAll(/\/tmp\/wherry-(e2e|peer)-\w+/g, 'ROOT')
    // The CLI's own words, when the engine refused before it had sent everything.
    .replaceAll(/^time="TIME" level=error msg="Can't .*\n/gm, '')
    .replaceAll(/^\s*See 'docker .*--help'\.?$/gm, '')
    .replaceAll(/[ \t]+/g, ' ')
    .trim();
  return unordered ? plain.split('\n').sort().join('\n') : plain;
}

function view(
  outcome: Outcome,
  unordered: boolean,
  translate: boolean,
): { code: number; stdout: string; stderr: string } {
  let [stdout, stderr] = [alike(outcome.stdout, unordered), alike(outcome.stderr, unordered)];
  if (translate) {
    for (const [old, now] of since) [stdout, stderr] = [stdout.replace(old, now), stderr.replace(old, now)];
  }
  return { code: outcome.code, stdout, stderr };
}

function folderFor(root: string): string {
  const folder = join(root, 'compare');
  mkdirSync(join(folder, 'd'), { recursive: true });
  writeFileSync(join(folder, 'f'), 'content\n');
  return folder;
}

host.scenario(
  `${steps.length} commands say the same`,
  async (context) => {
    const engines: [Docker, string][] = [
      [reference!.docker, folderFor(reference!.root)],
      [host.docker, folderFor(host.daemon.root)],
    ];
    for (const { line, input, differs, codeDiffers, unordered = false } of steps) {
      const [theirs, ours] = await Promise.all(
        engines.map(([docker, folder]) =>
          docker.run(words(line, folder), {
            env: { DOCKER_API_VERSION: '1.41' },
            timeoutMs: 30_000,
            ...(input === undefined ? {} : { input }),
          }),
        ),
      );
      const [wanted, actual] = [view(theirs!, unordered, true), view(ours!, unordered, false)];
      if (codeDiffers !== undefined) {
        wanted.code = actual.code;
      }
      if (differs !== undefined) {
        [wanted.stdout, wanted.stderr] = [actual.stdout, actual.stderr];
      }
      await context.test(`docker ${line}`, () => {
        assert.deepEqual(actual, wanted);
      });
    }
  },
  { skip, timeoutMs: 110_000 },
);
