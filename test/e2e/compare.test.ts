/** Some three hundred commands, bad ones above all, on the reference dockerd and on Wherry: output and exit codes compared word by word. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { cannotRun, sharedDaemon } from '../support/daemon.ts';
import type { Docker, Outcome } from '../support/docker.ts';
import { busyboxImage } from '../support/images.ts';
import { ReferenceEngine } from '../support/peers.ts';

let reason = cannotRun();
const reference =
  reason === undefined
    ? await ReferenceEngine.open().catch((error: Error) => {
        reason = `no reference dockerd: ${error.message.split('\n')[0]}`;
        return undefined;
      })
    : undefined;
after(() => reference?.[Symbol.asyncDispose]());
const host = await sharedDaemon({ expectedErrors: [/request failed/] });
if (reference !== undefined) await reference.docker.ok('load', '-q', '-i', await busyboxImage());

/** What both answer differently, and why that is meant. A difference that no longer occurs fails the test. */
const intended: Readonly<Record<string, string>> = {
  'run --rm --ip 10.9.9.9 busybox': 'Engine 25 tells all that is wrong with an endpoint at once',
  'run --rm --log-opt max-size=x busybox': 'refused when the container is created, not only when it starts',
  "inspect -f '{{json .HostConfig}}' box": 'Engine 28 says bridge for default, and masks more',
  'kill -s 99 box': 'Engine 28 refuses the number before it looks for the container',
  'rm -l idle2': 'legacy links are not kept as names',
  'rm box': 'reworded in Engine 25',
  'load -i $F/one': 'no helper process whose exit code could be told',
  'system df': 'what volumes take on disk counts, their folders too',
  'run --rm busybox ls -a /dev': 'crun adds /dev/core',
  'network disconnect -f net3 nobody': 'the container is looked for first',
};

/** Words of containerd 2.1, which Debian's dockerd runs on; Docker's own release of the same engine runs on 1.7, whose words clients know. */
const reworded: readonly (readonly [was: RegExp, is: string])[] = [
  [/^(docker: Error response .*unable to start container process: .*)$/m, '$1: unknown'],
  [/^(OCI runtime exec failed: .*)$/m, '$1: unknown'],
];
const used = new Set<RegExp>();

function modern(text: string): string {
  let result = text;
  for (const [was, is] of reworded) {
    if (!was.test(result)) continue;
    used.add(was);
    result = result.replace(was, is);
  }
  return result;
}

/** Reduces what two engines, or two runs, cannot have in common. */
function normal(text: string, roots: readonly string[]): string {
  let result = text;
  for (const root of roots) result = result.replaceAll(root, 'ROOT');
  return (
    result
      .replaceAll(/\r/g, '')
      .replaceAll(/lowerdir=\S+/g, 'lowerdir=…')
      .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID')
      .replaceAll(/\b[0-9a-f]{12}\b/g, 'SHORT')
      .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d{4} UTC| ?[+-]\d\d:?\d\d|Z)?( UTC)?/g, 'TIME')
      .replaceAll(/(About a|Less than a|\d+) (second|minute|hour|day|week|month|year)s?( ago)?/g, 'AGO')
      .replaceAll(/\b\d+(\.\d+)? ?([kMG]i?)?B\b/g, 'SIZE')
      .replaceAll(/\b(10|172|192)\.\d+\.\d+\.\d+\b/g, 'ADDRESS')
      .replaceAll(/([0-9a-f]{2}:){5}[0-9a-f]{2}/g, 'MAC')
      .replaceAll(/\bADDRESS\/\d+/g, 'ADDRESS')
      .replaceAll(/eth0@if\d+/g, 'eth0@ifN')
      .replaceAll(/\b[A-Z][a-z]{2} +\d+ +(\d\d:\d\d|\d{4})\b/g, 'DATE')
      .replaceAll(/\b(3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[45]\d{4}|60\d{3})\b/g, 'PORT')
      // Of a race in the CLI.
      .replaceAll(/^time="TIME" level=error msg="Can't .* closed pipe"\n/gm, '')
      .replaceAll(/ {2,}/g, '  ')
      .replaceAll(/-{4,}/g, '----')
      .replaceAll(/[ \t]+$/gm, '')
  );
}

/** Commands whose lines come in no promised order, and one with process ids. */
const unordered = /^(diff|network prune)|\/proc\/mounts|busybox env$/;

function outcome({ code, stdout, stderr }: Outcome, command: string, roots: readonly string[]): string {
  let out = normal(stdout, roots);
  if (unordered.test(command)) out = `${out.trim().split('\n').sort().join('\n')}\n`;
  // Process ids, times, and the share of a processor that ps shows as C.
  if (command.startsWith('top ')) out = out.replaceAll(/\b\d+\b/g, 'N').replaceAll(/N:N/g, 'N');
  return `exit ${code}\n${out}--- stderr\n${normal(stderr, roots)}`;
}

interface Group {
  readonly name: string;
  /** Words, split at blanks; `'…'` keeps them together. `$F` is a folder with a few files. */
  readonly commands: readonly string[];
}

const groups: readonly Group[] = [
  {
    name: 'run and create: what is refused',
    commands: [
      'run',
      'run --no-such-flag busybox',
      'run -p',
      'run --pull never absent:1 true',
      'create --pull never absent true',
      'run --rm busybox no-such-program',
      'run --rm busybox /no/such/program',
      'run --rm busybox /etc/passwd',
      'run --rm busybox /etc',
      'run --rm --entrypoint nope busybox',
      "run --rm busybox sh -c 'exit 42'",
      "run --rm busybox sh -c 'kill -9 $$'",
      'run --rm --name ! busybox',
      'run --rm --name x busybox',
      'run --rm -m 1m busybox',
      'run --rm -m 10x busybox',
      'run --rm --cpus 1000 busybox',
      'run --rm --cpus -1 busybox',
      'run --rm --cpuset-cpus 999 busybox true',
      'run --rm --memory-swap 1m -m 64m busybox',
      'run --rm --memory-swappiness 200 busybox',
      'run --rm --restart sometimes busybox',
      'run --rm --restart always busybox',
      'create --restart on-failure:-1 busybox',
      'create --restart always:3 busybox',
      'run --rm -v relative/path:/x busybox',
      'run --rm -v /x busybox ls -d /x',
      'run --rm -v /a:/b:zz busybox',
      'run --rm -v /a:/b:c:d busybox',
      'run --rm -v /a:b busybox',
      'run --rm -v /tmp:/ busybox',
      'run --rm --mount type=bind,src=/no/such/dir,dst=/x busybox',
      'run --rm --mount type=bind,dst=/x busybox',
      'run --rm --mount type=what,dst=/x busybox',
      'run --rm --mount type=volume busybox',
      'run --rm --mount type=tmpfs,dst=/x,tmpfs-size=banana busybox',
      'run --rm --tmpfs /x:bogus busybox true',
      'run --rm -e =x busybox',
      'run --rm -w relative busybox pwd',
      'run --rm -u nobody-here busybox',
      'run --rm -u :nogroup-here busybox',
      'run --rm --network nowhere busybox',
      'run --rm --network container:nobody busybox',
      'run --rm --network host -p 80:80 busybox echo ports',
      'run --rm --network none busybox ls /sys/class/net',
      'run --rm --ip 10.9.9.9 busybox',
      'run --rm --link nobody busybox',
      'run --rm --volumes-from nobody busybox',
      'run --rm --pid container:nobody busybox',
      'run --rm --ipc container:nobody busybox',
      'run --rm --ipc what busybox',
      'run --rm --pid what busybox',
      'run --rm --uts what busybox',
      'run --rm --cap-add FLY busybox',
      'run --rm --security-opt what busybox',
      'run --rm --security-opt seccomp=/no/such/file busybox',
      'run --rm --device /dev/no-such busybox',
      'run --rm --ulimit what=1 busybox',
      'run --rm --ulimit nofile=20:10 busybox',
      'run --rm --sysctl nope busybox',
      'run --rm --log-driver what busybox',
      'run --rm --log-opt what=1 busybox',
      'run --rm --log-opt max-size=x busybox',
      'run --rm --runtime what busybox',
      'run --rm --health-interval 1ns busybox',
      'run --rm --health-cmd x --no-healthcheck busybox',
      'run --rm -h a_b_c busybox hostname',
      'run --rm --add-host bad busybox',
      'run --rm --dns what busybox',
      'run --rm -p 99999:1 busybox',
      'run --rm -p 1:2:3:4 busybox',
      'run --rm --shm-size 1 busybox df /dev/shm',
      'run --rm --stop-timeout x busybox',
      'run --rm --isolation what busybox',
      'run --rm --storage-opt size=1G busybox true',
      'run --rm --oom-score-adj 5000 busybox',
      'run --rm --pids-limit -1 busybox true',
      'run --rm --blkio-weight 5 busybox',
      'run -d --rm -a stdout busybox',
      'run --rm --platform what/ever busybox true',
      'ps -a',
    ],
  },
  {
    name: 'inside a default container',
    commands: [
      'run --rm busybox env',
      'run --rm -h boat --domainname sea busybox sh -c "hostname; cat /etc/hostname; cat /etc/hosts"',
      'run --rm -e A=1 -e B -l x=y -w /made/here -u nobody busybox sh -c "pwd; id; env; ls -ld /made/here"',
      'run --rm -u 1234:50 --group-add staff busybox id',
      'run --rm busybox sh -c "grep -E \'^(Cap|Seccomp|NoNewPrivs|Groups)\' /proc/self/status"',
      "run --rm --cap-drop ALL --cap-add NET_ADMIN --security-opt no-new-privileges busybox grep -E '^(Cap|NoNew)' /proc/self/status",
      "run --rm busybox sh -c \"grep -E ' (/proc/|/sys/)' /proc/mounts | cut -d' ' -f2 | grep -v cgroup\"",
      "run --rm busybox grep -vE ' (/proc/|/sys/)' /proc/mounts",
      "run --rm --read-only --tmpfs /t:size=1m,mode=700 busybox grep -vE ' (/proc/|/sys/)' /proc/mounts",
      'run --rm busybox sh -c "ls -l /.dockerenv /etc/resolv.conf | cut -c1-10; ls -a /"',
      'run --rm busybox ls -a /dev',
      'run --rm busybox sh -c "ls /proc/acpi /sys/firmware; wc -c /proc/keys /proc/timer_list; cat /proc/sys/kernel/core_pattern > /dev/null; echo x > /proc/sys/kernel/hostname"',
      'run --rm busybox sh -c "cat /proc/self/cgroup | wc -l; cat /proc/self/oom_score_adj; cat /proc/self/loginuid; umask; ulimit -n"',
      'run --rm busybox sh -c "ip -o link | cut -d: -f2; ip route | cut -d\' \' -f1-3"',
      'run --rm busybox sh -c "mount -t tmpfs x /tmp; chroot / true; mknod /x c 1 3 && echo made; unshare -U true; hostname x; dmesg"',
      'run --rm -m 64m --cpus 0.5 --pids-limit 99 busybox sh -c "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/pids/pids.max"',
      'run --rm --sysctl net.ipv4.ip_forward=0 busybox cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_unprivileged_port_start',
      'run --rm --shm-size 8m --ulimit nofile=100:200 busybox sh -c "df -k /dev/shm; ulimit -n"',
      'run --rm -t busybox sh -c "tty; echo $TERM"',
    ],
  },
  {
    name: 'states and their errors',
    commands: [
      'run -d --name box -l a=b -l c=d -p 127.0.0.1::80 -p 81/udp -v vol:/data -e X=1 --restart on-failure:2 busybox sh -c "echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three; exec sleep 1000"',
      'run -d --name box busybox',
      'create --name idle busybox true',
      'ps',
      'ps -a',
      "ps -a --format '{{.Names}} {{.Image}} {{.Command}} {{.State}} {{.Labels}} {{.Mounts}} {{.Networks}} {{.LocalVolumes}}'",
      'ps -a --format json --filter name=idle',
      'ps -a --filter status=created --format {{.Names}}',
      'ps -a --filter status=what',
      'ps -a --filter what=x',
      'ps --filter label=a=b -q --no-trunc',
      'ps -n 1 --format {{.Names}}',
      'ps --format {{.Nope}}',
      "inspect -f '{{.State.Status}} {{.State.Running}} {{.RestartCount}} {{.Name}} {{.Path}} {{json .Args}} {{.Driver}} {{.Platform}}' box",
      "inspect -f '{{json .Config}}' box",
      "inspect -f '{{json .HostConfig}}' box",
      "inspect -f '{{json .Mounts}}' box",
      "inspect -f '{{json .State.Error}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.FinishedAt}}' idle",
      "inspect -f '{{json .NetworkSettings.Ports}}' idle",
      "inspect -f '{{range $k,$v := .NetworkSettings.Networks}}{{$k}} {{json $v.Links}} {{json $v.Aliases}}{{end}}' box",
      'inspect -f {{.Nope}} box',
      'inspect nobody',
      'inspect --type image box',
      'logs box',
      'logs -n 1 box',
      'logs --tail 2 box',
      'logs --tail x box',
      'logs --since 1h --until 30m box',
      'logs --since what box',
      'logs -t -n 1 box',
      'logs --details box',
      'logs idle',
      'logs nobody',
      'exec box no-such',
      'exec box /etc/passwd',
      'exec box sh -c "exit 5"',
      'exec -u nobody -w /tmp -e Y=2 box sh -c "id -un; pwd; echo $X$Y"',
      'exec -w /nowhere box true',
      'exec -u nobody-here box true',
      'exec -d box true',
      'exec idle true',
      'exec nobody true',
      'exec box',
      'top box',
      'top box -o pid,args',
      'top box -eo what',
      'top idle',
      'port box',
      'port box 99',
      'port box 80/udp',
      'port idle',
      'exec box sh -c "touch /new; mkdir /dir; echo x > /etc/passwd2; rm -r /var/www"',
      'diff box',
      'diff nobody',
      'start box',
      'start nobody',
      'stop idle',
      'kill idle',
      'kill -s WHAT box',
      'kill -s 99 box',
      'kill nobody',
      'pause idle',
      'pause box',
      'pause box',
      'exec box true',
      'ps --format {{.Status}}',
      'restart idle',
      'unpause box',
      'unpause box',
      'wait nobody',
      'wait idle',
      'rename box box',
      'rename box idle',
      'rename box !',
      'rename nobody y',
      'rename idle idle2',
      'update --memory 64m --memory-swap 128m box',
      'update --restart always box',
      'update --cpus 99999 box',
      'update --memory 1k box',
      'update nobody',
      'update --restart what box',
      'attach idle2',
      'attach nobody',
      'rm box',
      'rm nobody',
      'rm -f nobody',
      'stop -t 0 box',
      'wait box',
      'ps -a --format {{.Names}},{{.Status}}',
      'start -a idle2',
      'commit -m message -a me -c "CMD echo hi" idle2 made:1',
      "inspect -f '{{json .Config.Cmd}} {{.Comment}} {{.Author}}' made:1",
      'commit nobody',
      'commit -c "WHAT x" idle2',
      'commit idle2 Bad:Name',
      'rmi made:1',
      'rm -l idle2',
    ],
  },
  {
    name: 'cp and export',
    commands: [
      'create --name cp busybox true',
      'cp $F/one cp:/tmp/one',
      'cp cp:/tmp/one $F/back',
      'cp $F/one cp:/no/such/dir/x',
      'cp $F/dir cp:/etc/passwd',
      'cp $F/one cp:/etc/passwd/',
      'cp $F/absent cp:/tmp',
      'cp cp:/absent $F/x',
      'cp nobody:/x $F/x',
      'cp cp:/tmp $F/one',
      'cp cp:/a cp:/b',
      'cp $F/a $F/b',
      'cp $F/one cp:',
      'cp $F/dir/. cp:/tmp',
      'cp cp:/etc/passwd $F/no/such/x',
      'export nobody',
      'rm cp',
    ],
  },
  {
    name: 'images',
    commands: [
      'images',
      'images -a --no-trunc --digests',
      "images --format '{{.Repository}} {{.Tag}} {{.CreatedSince}}'",
      'images -q absent',
      'images --filter dangling=what',
      'images --filter what=x',
      'images --filter reference=busy*',
      'history busybox',
      "history --no-trunc --format '{{.CreatedBy}} {{.Size}} {{.Comment}}' busybox",
      'history absent',
      'image inspect absent',
      "image inspect -f '{{.Os}} {{.Architecture}} {{json .RootFS.Type}} {{json .Config.Env}} {{json .RepoTags}} {{json .RepoDigests}}' busybox",
      'tag busybox boat:1',
      'tag busybox Boat:1',
      'tag busybox boat:1:2',
      'tag absent x',
      'tag busybox sha256:abc!',
      'rmi absent',
      'rmi boat:1',
      'run -d --name user busybox sleep 100',
      'rmi busybox',
      'rmi -f busybox@sha256:0000000000000000000000000000000000000000000000000000000000000000',
      'rm -f user',
      'create --name user busybox',
      'rmi busybox',
      'rm user',
      'save absent',
      'load -i $F/one',
      'load -i $F/absent',
      'import $F/absent',
      'import -c "WHAT x" $F/one',
      'image prune -f',
      'search',
    ],
  },
  {
    name: 'networks and volumes',
    commands: [
      'network create net1',
      'network create net1',
      'network create !',
      'network create bridge',
      'network create -d what net2',
      'network create --subnet 10.99.0.0/24 --gateway 10.98.0.1 net2',
      'network create --subnet what net2',
      'network create --subnet 10.99.0.0/24 --ip-range 10.97.0.0/25 net2',
      'network create --subnet 10.99.0.0/24 --subnet 10.99.0.0/25 net2',
      'network create -o what=x -l a=b --internal net3',
      "network inspect -f '{{.Driver}} {{.Internal}} {{.Attachable}} {{.Scope}} {{json .Labels}} {{json .Options}} {{.EnableIPv6}}' net3",
      "network ls --format '{{.Name}} {{.Driver}} {{.Scope}}'",
      'network ls --filter what=x',
      'network ls --filter driver=null -q',
      'network inspect absent',
      'network rm absent',
      'network rm bridge',
      'network rm host',
      'run -d --name member --network net1 --network-alias alias busybox sleep 100',
      'network rm net1',
      'network connect net1 member',
      'network connect absent member',
      'network connect net1 nobody',
      'network connect host member',
      'network connect --ip 10.1.1.1 net3 member',
      'network connect net3 member',
      "inspect -f '{{range $k,$v := .NetworkSettings.Networks}}{{$k}} {{end}}' member",
      'network disconnect net3 member',
      'network disconnect net3 member',
      'network disconnect absent member',
      'network disconnect -f net3 nobody',
      'exec member grep -v # /etc/resolv.conf',
      'rm -f member',
      'network prune -f',
      'network ls -q --filter type=custom',
      'volume create vol1',
      'volume create vol1',
      'volume create !',
      'volume create -d what vol2',
      'volume create -o what=x vol2',
      'volume create -o type=tmpfs -o device=tmpfs -l a=b vol3',
      "volume inspect -f '{{.Name}} {{.Driver}} {{.Scope}} {{json .Labels}} {{json .Options}}' vol3",
      "volume ls --format '{{.Name}} {{.Driver}} {{.Scope}} {{.Labels}} {{.Mountpoint}}'",
      'volume ls --filter dangling=what',
      'volume ls --filter what=x',
      'volume ls -q --filter label=a=b',
      'volume inspect absent',
      'volume rm absent',
      'volume rm -f absent',
      'create --name holder -v vol1:/x busybox',
      'volume rm vol1',
      'rm holder',
      'volume rm vol1 absent vol3',
    ],
  },
  {
    name: 'system and help',
    commands: [
      'system prune -f',
      'system prune --filter what=x -f',
      'container prune -f --filter what=x',
      'container prune -f',
      'volume prune -f --filter what=x',
      'system df',
      "system df --format '{{.Type}} {{.TotalCount}} {{.Active}}'",
      'events --since 0s --until what',
      'events --since 1s --until 0s --filter type=what',
      "info --format '{{.OSType}} {{.Architecture}} {{.NCPU}} {{.Driver}} {{.LoggingDriver}} {{.CgroupVersion}} {{.Swarm.LocalNodeState}}'",
      "version --format '{{.Server.Os}} {{.Server.Arch}}'",
      'node ls',
      'service ls',
      'secret ls',
      'plugin ls',
      'stats --no-stream nobody',
      "stats --no-stream --format '{{.Name}}'",
      'frobnicate',
    ],
  },
];

/** As a shell would split it, quotes and nothing else. */
function words(command: string, folder: string): string[] {
  return [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) =>
    (match[1] ?? match[2] ?? match[3] ?? '').replace('$F', folder),
  );
}

async function answers(
  docker: Docker,
  folder: string,
  commands: readonly string[],
  roots: string[],
): Promise<string[]> {
  mkdirSync(join(folder, 'dir'), { recursive: true });
  writeFileSync(join(folder, 'one'), 'one\n');
  const outcomes: string[] = [];
  for (const command of commands)
    outcomes.push(
      outcome(await docker.run(words(command, folder), { timeoutMs: 20_000, cwd: folder }), command, roots),
    );
  return outcomes;
}

for (const { name, commands } of groups) {
  host.scenario(
    name,
    async () => {
      const roots = [host.daemon.root, reference!.root];
      const [wanted, got] = await Promise.all([
        answers(reference!.docker, join(reference!.root, 'files'), commands, roots),
        answers(host.docker, join(host.daemon.root, 'files'), commands, roots),
      ]);
      const wrong: string[] = [];
      const seen = new Map<string, number>();
      for (const [index, command] of commands.entries()) {
        const occurrence = (seen.get(command) ?? 0) + 1;
        seen.set(command, occurrence);
        const key = occurrence === 1 ? command : `${command} #${occurrence}`;
        const answer = modern(wanted[index]!);
        const same = answer === got[index];
        if (same && key in intended) wrong.push(`$ ${key}\nis listed as different, and is the same: ${wanted[index]}`);
        if (!same && !(key in intended)) wrong.push(`$ ${key}\ndockerd: ${answer}\nwherry: ${got[index]}`);
      }
      assert.equal(wrong.length, 0, `${wrong.length} of ${commands.length} differ\n\n${wrong.join('\n\n')}`);
    },
    { timeoutMs: 85_000, skip: reason },
  );
}

host.scenario(
  'every listed rewording still occurs',
  async () => {
    assert.deepEqual(
      reworded.map(([was]) => was).filter((was) => !used.has(was)),
      [],
    );
  },
  { skip: reason },
);
