/** Containers, networks and volumes as docker compose 2 makes them and as we do, of the same file: every field that an engine keeps is the same. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ComposeProject, dockerCompose, type Tool } from '../support/compose-project.ts';
import { sharedDaemon } from '../support/daemon.ts';

const host = await sharedDaemon();
let reason: string | undefined;
await dockerCompose().catch((error: Error) => {
  reason = error.message;
});

const yaml = `
name: made
services:
  plain: { image: busybox }
  process:
    image: busybox
    command: sh -c 'echo "a b" $$HOME'
    entrypoint: ["/bin/env"]
    environment: { A: "1", B: "", C: two words }
    env_file: [{ path: ./vars.env }]
    working_dir: /tmp
    user: "12:34"
    group_add: [audio, "55"]
    tty: true
    stdin_open: true
    init: true
    stop_signal: SIGINT
    stop_grace_period: 1m30s
    restart: on-failure:3
    hostname: box
    domainname: example.org
    labels: { x.y: z, empty: "" }
    annotations: { note: here }
  cleared: { image: busybox, command: ["true"], entrypoint: [] }
  deployed:
    image: busybox
    deploy:
      replicas: 2
      resources:
        limits: { cpus: "0.5", memory: 64M, pids: 50 }
        reservations: { memory: 32M }
      restart_policy: { condition: on-failure, max_attempts: 4 }
  limited:
    image: busybox
    cpus: 0.25
    cpu_shares: 512
    cpuset: "0"
    mem_limit: 128m
    mem_reservation: 64m
    memswap_limit: 256m
    pids_limit: 100
    shm_size: 32m
    oom_score_adj: 100
    ulimits: { nofile: { soft: 100, hard: 200 }, nproc: 300 }
    sysctls: { net.ipv4.ip_forward: "1" }
    devices: ["/dev/null:/dev/nothing:r", "/dev/zero"]
    device_cgroup_rules: ["c 1:3 mr"]
    tmpfs: [/run, "/scratch:size=1m,mode=700"]
    storage_opt: {}
  secured:
    image: busybox
    cap_add: [NET_ADMIN]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true", "seccomp=./profile.json", "systempaths=unconfined"]
    read_only: true
    ipc: shareable
    uts: host
    cgroup: private
    userns_mode: host
  privileged: { image: busybox, privileged: true, pid: host, ipc: host, network_mode: host }
  checked:
    image: busybox
    healthcheck: { test: "true", interval: 1m, timeout: 5s, retries: 2, start_period: 3s, start_interval: 500ms }
  unchecked: { image: busybox, healthcheck: { disable: true } }
  published:
    image: busybox
    ports:
      - "127.0.0.1:38081:81"
      - "38082:82/udp"
      - "83"
      - "38090-38091:90-91"
      - { target: 95, published: "38095", host_ip: 127.0.0.1, protocol: tcp, mode: host }
    expose: ["70", "71/udp"]
  named:
    image: busybox
    networks:
      front: { aliases: [other, more], ipv4_address: 10.238.9.7, mac_address: "02:42:0a:ee:09:07", priority: 5 }
      back: { driver_opts: { com.docker.network.endpoint.sysctls: net.ipv4.conf.IFNAME.log_martians=1 }, gw_priority: 3 }
    dns: [10.0.0.1]
    dns_search: [example.org]
    dns_opt: [use-vc]
    extra_hosts: { "one": 10.0.0.2, two: host-gateway }
    mac_address: "02:42:0a:ee:09:07"
  linked:
    image: busybox
    networks: [front]
    links: ["named:friend"]
    depends_on: { plain: { condition: service_started }, checked: { condition: service_healthy, restart: true, required: false } }
  sharing: { image: busybox, network_mode: "service:plain", pid: "service:plain" }
  mounted:
    image: busybox
    volumes:
      - data:/data
      - data:/read:ro
      - ./folder:/folder
      - ./folder:/z:ro,z
      - /anonymous
      - { type: bind, source: ./folder, target: /exact, bind: { create_host_path: false, propagation: rslave } }
      - { type: volume, source: data, target: /sub, volume: { nocopy: true } }
      - { type: tmpfs, target: /t, tmpfs: { size: 1048576, mode: 01777 } }
      - { type: image, source: busybox, target: /image }
  inheriting: { image: busybox, volumes_from: ["mounted:ro"] }
  secret:
    image: busybox
    secrets: [hidden, { source: hidden, target: /elsewhere }]
    configs: [{ source: shown, target: /etc/shown }]
  logged: { image: busybox, logging: { driver: json-file, options: { max-size: 1m, max-file: "2" } } }
  called: { image: busybox, container_name: my-own-name }
networks:
  front:
    driver: bridge
    ipam: { config: [{ subnet: 10.238.9.0/24, gateway: 10.238.9.1, ip_range: 10.238.9.0/25, aux_addresses: { host: 10.238.9.2 } }] }
    labels: { kind: front }
  back: { internal: true, attachable: true, driver_opts: { com.docker.network.bridge.enable_icc: "false" } }
volumes:
  data: { labels: { kind: data } }
secrets: { hidden: { file: ./hidden.txt } }
configs: { shown: { file: ./hidden.txt } }
`;

host.scenario(
  'create: docker compose and ours make the same of every attribute',
  async () => {
    const project = new ComposeProject({ root: host.daemon.root, env: host.docker.env }, 'create', yaml);
    project.write('vars.env', 'FROM_FILE=yes\n');
    project.write('hidden.txt', 'x');
    mkdirSync(join(project.folder, 'folder'));
    writeFileSync(join(project.folder, 'profile.json'), '{"defaultAction":"SCMP_ACT_ALLOW"}');
    const theirs = await made(project, 'docker');
    const ours = await made(project, 'wherry');
    assert.deepEqual(Object.keys(ours), Object.keys(theirs));
    for (const [name, thing] of Object.entries(ours)) assert.deepEqual(thing, theirs[name], name);
  },
  { skip: reason, timeoutMs: 120_000 },
);

/** What an engine has after `create`, by name, without what is another each time. */
async function made(project: ComposeProject, tool: Tool): Promise<Record<string, unknown>> {
  await project.okBy(tool, 'create');
  const filter = ['--filter', 'label=com.docker.compose.project=made'];
  const inspected = async (kind: string, ids: string): Promise<Record<string, unknown>[]> =>
    JSON.parse(await host.docker.ok(kind, 'inspect', ...ids.split('\n'))) as Record<string, unknown>[];
  const containers = await inspected('container', await host.docker.ok('ps', '-aq', ...filter));
  const networks = await inspected('network', await host.docker.ok('network', 'ls', '-q', ...filter));
  const volumes = await inspected('volume', await host.docker.ok('volume', 'ls', '-q', ...filter));
  const ids = new Map(containers.map(({ Id, Name }) => [String(Id), String(Name)]));
  await project.okBy(tool, 'down', '-v', '-t', '0');
  const entries = [...containers, ...networks, ...volumes].map((thing): [string, unknown] => [
    String(thing['Name']),
    settled(thing, ids),
  ]);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Times, ids, and what engines choose freely. */
const fleeting = new Set(
  'Id Created CreatedAt ID NetworkID EndpointID SandboxID SandboxKey LogPath HostnamePath HostsPath ResolvConfPath GraphDriver Mountpoint MacAddress DNSNames ExecIDs'.split(
    ' ',
  ),
);
/** Subnets that the engine picks, the next free one each time. */
const chosen = /\b172(?:\.\d+){3}(?:\/\d+)?\b/g;
/** Lists whose order says nothing: docker compose goes through Go maps. */
const unordered = new Set(['Env', 'Binds', 'Mounts', 'ExtraHosts', 'Ulimits', 'Links', 'Aliases']);

function settled(value: unknown, ids: ReadonlyMap<string, string>, key = ''): unknown {
  if (typeof value === 'string') {
    let text = value;
    for (const [id, name] of ids) text = text.replaceAll(id, name).replaceAll(id.slice(0, 12), name);
    if (key === 'com.docker.compose.depends_on') return text.split(',').toSorted().join(',');
    // A hash is of what refers to another container by its id.
    return key === 'com.docker.compose.config-hash'
      ? 'hash'
      : text.replaceAll(/\b[0-9a-f]{64}\b/g, 'digest').replaceAll(chosen, 'an address');
  }
  if (Array.isArray(value)) {
    const list = value.map((each) => settled(each, ids));
    return unordered.has(key) ? list.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : list;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([name, each]) => !fleeting.has(name) && (!saysNothing(each) || name === 'Cmd' || name === 'Entrypoint'))
    .map(([name, each]) => [name, settled(each, ids, name)] as const);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** To an engine nothing and an empty list are the same, but for what a command is. */
function saysNothing(value: unknown): boolean {
  if (value === null || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
