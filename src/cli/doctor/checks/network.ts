/** What packets of containers meet: nftables, forwarding, other firewalls, other routes, resolvers, the clock. */
import {
  type Check,
  type EngineFacts,
  fail,
  type Finding,
  ok,
  type Patient,
  runs,
  skip,
  together,
  warn,
} from '../check.ts';
import { install, setDaemon, setSysctl } from '../mend.ts';
import { overlaps, parseSubnet, readRoutes, type Route, type Subnet, subnetText } from '../subnet.ts';

export const networkChecks: readonly Check[] = [
  { id: 'nftables', title: 'nftables', run: nftables },
  { id: 'forwarding', title: 'Forwarding', run: forwarding },
  { id: 'firewall', title: 'Other firewalls', run: firewall },
  { id: 'addresses', title: 'Addresses of networks', run: addresses },
  { id: 'dns', title: 'Name servers', run: dns },
  { id: 'clock', title: 'Clock', run: clock },
];

async function nftables({ host }: Patient): Promise<Finding> {
  const path = host.find('nft');
  if (path === undefined)
    return fail('nft is not installed: no published ports, no way out of bridges', install('nftables'));
  if (host.uid !== 0) return ok(`${path} (whether the kernel takes its rules: only root can tell)`);
  const said = await host.run(path, ['list', 'tables']);
  if (said?.code === 0) return ok('usable');
  return fail(`nft cannot be used: ${said?.stderr.trim().split('\n')[0] ?? 'no answer'}`, 'sudo modprobe nf_tables');
}

function forwarding(patient: Patient): Finding {
  const forward = patient.host.read('/proc/sys/net/ipv4/ip_forward')?.trim();
  if (forward === undefined) return skip('/proc/sys/net/ipv4/ip_forward cannot be read');
  if (forward === '1') return ok('net.ipv4.ip_forward=1');
  if (!runs(patient)) return ok('off; the engine switches it on when it makes its bridge');
  return fail(
    'net.ipv4.ip_forward=0: containers reach nothing beyond this machine',
    setSysctl('net.ipv4.ip_forward', 1),
  );
}

interface NftChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

async function firewall(patient: Patient): Promise<Finding> {
  const { host, engine } = patient;
  const findings: Finding[] = [...(await ufw(patient)), ...(await firewalld(patient))];
  if (host.uid !== 0) {
    return together(findings.length > 0 ? findings : [skip('rules are only shown to root')]);
  }
  findings.push(...(await legacyTables(patient)), ...(await foreignChains(patient)));
  const bridged = host.read('/proc/sys/net/bridge/bridge-nf-call-iptables')?.trim() === '1';
  if (bridged && findings.some(({ state }) => state === 'warn' || state === 'fail'))
    findings.push(
      warn(
        'br_netfilter sends traffic inside a network through these rules, too',
        setSysctl('net.bridge.bridge-nf-call-iptables', 0),
      ),
    );
  return findings.length > 0 ? together(findings) : ok(`nobody else drops what ${engine.bridge} forwards`);
}

/** nftables chains that drop what is forwarded: the engine puts accepts for its bridges at their heads, which can be seen. */
async function foreignChains(patient: Patient): Promise<Finding[]> {
  const { host } = patient;
  const listing = await host.run('nft', ['-j', 'list', 'ruleset']);
  if (listing?.code !== 0) return [];
  const items = parseRuleset(listing.stdout);
  const dropping = items
    .flatMap(({ chain }) => (chain === undefined ? [] : [chain]))
    .filter(({ hook, policy, table }) => hook === 'forward' && policy === 'drop' && !isOwn(table));
  return dropping.map(({ family, table, name }) => {
    const where = `${family} ${table} ${name}`;
    const marked = items.some(
      ({ rule }) => rule?.table === table && rule.family === family && isOwn(rule.comment ?? ''),
    );
    if (marked) return ok(`${where} drops by default; the engine's accepts are in it`);
    if (!runs(patient)) return ok(`${where} drops by default; the engine puts its accepts there when it starts`);
    return warn(
      `${where} drops what is forwarded, and has no accepts of the engine's`,
      'sudo systemctl restart wherry',
    );
  });
}

function parseRuleset(
  text: string,
): { chain?: NftChain; rule?: { family: string; table: string; comment?: string } }[] {
  try {
    return (JSON.parse(text) as { nftables: ReturnType<typeof parseRuleset> }).nftables;
  } catch {
    // A version of nft that prints something else.
    return [];
  }
}

/** Names of tables of engines, which are the comments of their rules elsewhere. */
function isOwn(name: string): boolean {
  return /^wherry(_\w+)?$/.test(name);
}

/** The old interface of the kernel, which cannot be seen from nftables: its drops must be lifted by hand. */
async function legacyTables({ host, engine: { bridge } }: Patient): Promise<Finding[]> {
  if (!(host.read('/proc/net/ip_tables_names') ?? '').split('\n').includes('filter')) return [];
  const listing = await host.run('iptables-legacy', ['-S']);
  if (listing?.code !== 0) return [];
  const lines = listing.stdout.split('\n');
  if (!lines.includes('-P FORWARD DROP')) return [];
  const chain = lines.includes('-N DOCKER-USER') ? 'DOCKER-USER' : 'FORWARD';
  const has = (side: string): boolean =>
    lines.some((line) => line.startsWith('-A ') && line.includes(` ${side} ${bridge}`) && line.endsWith('-j ACCEPT'));
  if (has('-i') && has('-o')) return [ok('iptables-legacy drops what is forwarded, but not for the bridge')];
  return [
    fail(
      'the FORWARD policy of iptables-legacy is DROP (Docker leaves it so): containers reach nothing',
      `sudo iptables-legacy -I ${chain} -i ${bridge} -j ACCEPT && sudo iptables-legacy -I ${chain} -o ${bridge} -j ACCEPT`,
      'Or let the old rules go: sudo update-alternatives --set iptables /usr/sbin/iptables-nft, and boot again.',
    ),
  ];
}

async function ufw({ host, engine: { bridge } }: Patient): Promise<Finding[]> {
  if (!/^ENABLED=yes/m.test(host.read('/etc/ufw/ufw.conf') ?? '')) return [];
  if (/^DEFAULT_FORWARD_POLICY="?ACCEPT/m.test(host.read('/etc/default/ufw') ?? '')) return [ok('ufw forwards')];
  if (host.uid !== 0) return [ok('ufw is active')];
  const said = await host.run('ufw', ['status']);
  if (said === undefined || !/^Status: active/m.test(said.stdout)) return [];
  if (new RegExp(`ALLOW FWD.*${bridge}|${bridge}.*ALLOW FWD`).test(said.stdout))
    return [ok('ufw lets the bridge forward')];
  return [ok(`ufw is active; published ports do not ask it (unless "respect-host-firewall" is set)`)];
}

async function firewalld({ host, engine: { bridge } }: Patient): Promise<Finding[]> {
  const state = await host.run('firewall-cmd', ['--state']);
  if (state?.code !== 0 || state.stdout.trim() !== 'running') return [];
  const asked = await host.run('firewall-cmd', [`--get-zone-of-interface=${bridge}`]);
  const zone = asked?.code === 0 ? asked.stdout.trim() : '';
  if (zone === 'trusted' || zone === 'docker') return [ok(`firewalld: ${bridge} is in zone ${zone}`)];
  return [
    warn(
      zone === ''
        ? `firewalld is active and ${bridge} is in none of its zones`
        : `firewalld has ${bridge} in zone ${zone}`,
      `sudo firewall-cmd --permanent --zone=trusted --change-interface=${bridge} && sudo firewall-cmd --reload`,
    ),
  ];
}

/** The engine's own, when nothing is set: see network/address-pool.ts. */
const standardPools = ['172.30.0.0/16', '172.31.0.0/16', '10.210.0.0/16', '192.168.192.0/18'];

function addresses({ host, engine }: Patient): Finding {
  const text = host.read('/proc/net/route');
  if (text === undefined) return skip('/proc/net/route cannot be read');
  const routes = readRoutes(text);
  const isOwnDevice = ({ device }: Route): boolean =>
    device === engine.bridge || device.startsWith(`${engine.bridge}-`);
  const own = routes.filter(isOwnDevice);
  const others = routes.filter((route) => !isOwnDevice(route));
  const clashes = own.flatMap((network) =>
    others.filter(({ subnet }) => overlaps(subnet, network.subnet)).map((other) => clash(network, other)),
  );
  if (clashes.length > 0) return together(clashes);
  const pools = poolsOf(engine);
  const free = pools.filter((pool) => others.every(({ subnet }) => !covers(subnet, pool)));
  if (free.length === 0)
    return fail(
      `all address pools are routed elsewhere: ${pools.map(subnetText).join(', ')}`,
      setDaemon('"default-address-pools": [{"base": "10.99.0.0/16", "size": 26}]'),
    );
  const networks =
    own.length === 0
      ? 'no network yet'
      : `${own.length} ${own.length === 1 ? 'network' : 'networks'}, not routed elsewhere`;
  return ok(`${networks}; new ones from ${free.map(subnetText).join(', ')}`);
}

function clash(network: Route, other: Route): Finding {
  const found = `${subnetText(network.subnet)} of ${network.device} overlaps with ${subnetText(other.subnet)} of ${other.device}`;
  const mend = setDaemon('"bip" (default bridge) or "default-address-pools" to a range that is free');
  // The more special route wins: then either the containers are cut off, or what is behind the other route.
  return other.subnet.prefix >= network.subnet.prefix
    ? fail(`${found}: containers cannot be reached`, mend)
    : warn(`${found}: containers hide part of it`, mend);
}

function poolsOf({ settings }: EngineFacts): Subnet[] {
  const configured = settings['default-address-pools'];
  const bases = Array.isArray(configured)
    ? configured.map((pool: unknown) => (pool as { base?: unknown } | null)?.base)
    : standardPools;
  return bases.flatMap((base) => (typeof base === 'string' ? (parseSubnet(base) ?? []) : []));
}

function covers(wide: Subnet, narrow: Subnet): boolean {
  return wide.prefix <= narrow.prefix && overlaps(wide, narrow);
}

function dns({ host, engine }: Patient): Finding {
  const configured = engine.settings['dns'];
  if (Array.isArray(configured) && configured.length > 0) return ok(`daemon.json: ${configured.join(', ')}`);
  const mend = setDaemon('"dns": ["192.0.2.53"] to a server that containers can reach');
  const servers = serversIn(host.read('/etc/resolv.conf'));
  if (servers.length === 0) return warn('/etc/resolv.conf names no server', mend);
  const outside = servers.filter((server) => !isLoopback(server));
  if (outside.length > 0) return ok(outside.join(', '));
  const behind = serversIn(host.read('/run/systemd/resolve/resolv.conf')).filter((server) => !isLoopback(server));
  if (behind.length > 0) return ok(`${behind.join(', ')} (behind systemd-resolved)`);
  return warn(`only ${servers.join(', ')}, which containers of the default bridge cannot reach`, mend);
}

function serversIn(text: string | undefined): string[] {
  return [...(text ?? '').matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1]!);
}

function isLoopback(server: string): boolean {
  return server.startsWith('127.') || server === '::1';
}

/** Before this program was written it cannot be. */
const written = Date.UTC(2025, 0, 1);

async function clock({ host }: Patient): Promise<Finding> {
  const mend = 'sudo timedatectl set-ntp true';
  const day = new Date(host.now).toISOString().slice(0, 10);
  if (host.now < written) return fail(`it is said to be ${day}: certificates of registries are not valid yet`, mend);
  const said = await host.run('timedatectl', ['show', '-p', 'NTPSynchronized', '--value']);
  if (said?.code !== 0) return ok(`${day}; whether it is kept right cannot be told`);
  return said.stdout.trim() === 'yes' ? ok('synchronized') : warn('nobody keeps the clock right', mend);
}
