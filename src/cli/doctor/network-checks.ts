/** What networks of containers need of the host, and what of the host stands in their way. */
import { type Check, fail, type Finding, ok, warn } from './check.ts';
import type { Host } from './host.ts';
import { overlap, parseRange, type Range, readRoutes } from './ranges.ts';

/** Where the engine takes subnets from when nobody says otherwise. */
const standardPools = ['172.30.0.0/16', '172.31.0.0/16', '10.210.0.0/16', '192.168.192.0/18'];

export const networkChecks: readonly Check[] = [
  {
    id: 'nft',
    title: 'nftables',
    async run(host) {
      if (host.find('nft') === undefined) return fail('nft is not installed', 'sudo apt-get install nftables');
      const said = await host.run('nft', ['list', 'tables']);
      if (said === undefined) return fail('nft does not start', 'nft --version');
      if (said.code === 0) return ok('rules can be made');
      return host.uid === 0
        ? fail(`nft fails: ${firstLine(said.stderr)}`, 'sudo modprobe nf_tables')
        : ok('installed; whether it works only root can tell');
    },
  },
  {
    id: 'bridge',
    title: 'Bridges',
    async run(host) {
      const lacks: string[] = [];
      for (const name of ['bridge', 'veth']) if (!(await hasModule(host, name))) lacks.push(name);
      return lacks.length === 0
        ? ok('bridge and veth are there')
        : warn(`the kernel may lack ${lacks.join(' and ')}`, `sudo modprobe -a ${lacks.join(' ')}`);
    },
  },
  {
    id: 'forwarding',
    title: 'Forwarding',
    run(host) {
      const folder = '/etc/sysctl.d';
      const files = [
        ...(host.list(folder) ?? []).filter((name) => name.endsWith('.conf')).map((name) => `${folder}/${name}`),
        '/etc/sysctl.conf',
      ];
      const off = files.findLast((path) => /^\s*net\.ipv4\.ip_forward\s*=/m.test(host.read(path) ?? ''));
      if (off !== undefined && /^\s*net\.ipv4\.ip_forward\s*=\s*0/m.test(host.read(off) ?? ''))
        return warn(
          `${off} switches it off whenever sysctl reads it: containers lose the network then`,
          `sudo sed -i '/net.ipv4.ip_forward/s/=.*/=1/' ${off}`,
        );
      const now = host.read('/proc/sys/net/ipv4/ip_forward')?.trim();
      if (now === undefined) return warn('cannot be read', 'sysctl net.ipv4.ip_forward');
      return ok(now === '1' ? 'on' : 'off; the daemon switches it on with its first bridge');
    },
  },
  {
    id: 'br-netfilter',
    title: 'Bridged packets',
    run: (host) =>
      host.read('/proc/sys/net/bridge/bridge-nf-call-iptables')?.trim() === '1'
        ? warn(
            'br_netfilter sends traffic inside a network through the host firewall too, which may drop it; Kubernetes wants that',
            'sudo sysctl -w net.bridge.bridge-nf-call-iptables=0',
          )
        : ok('not filtered by the host'),
  },
  {
    id: 'firewall',
    title: 'Host firewall',
    run: hostFirewall,
  },
  {
    id: 'addresses',
    title: 'Address pools',
    run(host) {
      const routes = readRoutes(host.read('/proc/net/route') ?? '').filter(({ device }) => !isOurs(host, device));
      const pools = configuredPools(host);
      const taken = pools.flatMap((pool) => {
        const range = parseRange(pool);
        if (range === undefined) return [];
        return routes
          .filter((route) => overlap(route.range, range))
          .map((route) => ({ pool, device: route.device, all: covers(route.range, range) }));
      });
      if (taken.length === 0) return ok(`${pools.length}, free of host routes`);
      const whole = taken.filter(({ all }) => all);
      const text = poolsText(whole.length > 0 ? whole : taken);
      // Subnets that the host has a route to are left out; only a pool without any other is lost.
      if (whole.length === 0) return ok(`host routes overlap ${text}; subnets there are left out`);
      const mend = `put "default-address-pools": [{"base": "10.211.0.0/16", "size": 26}] in /etc/wherry/daemon.json`;
      return new Set(whole.map(({ pool }) => pool)).size === pools.length
        ? fail(`host routes cover all: ${text}`, mend)
        : warn(`host routes cover ${text}`, mend);
    },
  },
  {
    id: 'resolvers',
    title: 'Resolvers',
    run(host) {
      const servers = nameservers(host, '/etc/resolv.conf');
      const mend = 'put "dns": ["<a server>"] in /etc/wherry/daemon.json';
      if (servers.length === 0) return warn('/etc/resolv.conf names none: containers resolve nothing', mend);
      if (!servers.every(isLoopback)) return ok(servers.join(' '));
      const behind = nameservers(host, '/run/systemd/resolve/resolv.conf');
      return behind.length > 0
        ? ok(`${behind.join(' ')} (behind ${servers.join(' ')})`)
        : warn(`${servers.join(' ')}: a container on the default bridge cannot reach the host's loopback`, mend);
    },
  },
];

/** nft's own chains are opened for our bridges by the daemon; what iptables-legacy has, nobody can see from there. */
async function hostFirewall(host: Host): Promise<Finding> {
  const legacy = host.read('/proc/net/ip_tables_names') ?? '';
  if (/^filter$/m.test(legacy)) {
    const said = await host.run('iptables-legacy', ['-S', 'FORWARD']);
    if (said?.code === 0 && /^-P FORWARD DROP$/m.test(said.stdout) && !/-i wherry\S* .*-j ACCEPT/.test(said.stdout))
      return warn(
        'iptables-legacy drops what is forwarded, where the daemon cannot add its accepts',
        'sudo iptables-legacy -I FORWARD -i wherry+ -j ACCEPT; sudo iptables-legacy -I FORWARD -o wherry+ -j ACCEPT',
      );
  }
  const active: string[] = [];
  if ((await host.run('firewall-cmd', ['--state']))?.code === 0) active.push('firewalld');
  if (/^ENABLED=yes/m.test(host.read('/etc/ufw/ufw.conf') ?? '')) active.push('ufw');
  const listing = await host.run('nft', ['list', 'chains']);
  const dropping = listing?.code === 0 ? droppingTables(listing.stdout) : [];
  const found = [...active, ...dropping.map((table) => `table ${table}`)];
  if (found.length === 0)
    return ok(listing?.code === 0 ? 'nothing drops what is forwarded' : 'only root can tell all of it');
  if (active.length > 0)
    return warn(
      `${found.join(', ')}: published ports pass by it, as with Docker`,
      'put "respect-host-firewall": true in /etc/wherry/daemon.json if its rules should decide',
    );
  return ok(`${found.join(', ')} drops what is forwarded; the daemon adds accepts for its bridges`);
}

/** Tables, not ours, whose forward chain drops by default. */
function droppingTables(listing: string): string[] {
  let table = '';
  const found: string[] = [];
  for (const line of listing.split('\n')) {
    table = /^table (.+?) \{/.exec(line)?.[1] ?? table;
    if (/hook forward .*policy drop/.test(line) && !/ wherry(_|$)/.test(table)) found.push(table);
  }
  return found;
}

async function hasModule(host: Host, name: string): Promise<boolean> {
  if (host.list(`/sys/module/${name}`) !== undefined) return true;
  if ((await host.run('modinfo', [name]))?.code === 0) return true;
  // Built in and without parameters, it shows only by its code.
  const symbol = name === 'veth' ? 'veth_setup' : 'br_add_if';
  return (await host.run('grep', ['-qw', symbol, '/proc/kallsyms']))?.code === 0;
}

function configuredPools(host: Host): string[] {
  try {
    const settings = JSON.parse(host.read('/etc/wherry/daemon.json') ?? '{}') as Record<string, unknown>;
    const pools = settings['default-address-pools'];
    if (!Array.isArray(pools)) return standardPools;
    return pools.flatMap((pool: { base?: unknown }) => (typeof pool.base === 'string' ? [pool.base] : []));
  } catch {
    return standardPools;
  }
}

function poolsText(taken: readonly { pool: string; device: string }[]): string {
  const devices = Map.groupBy(taken, ({ pool }) => pool);
  return [...devices]
    .map(([pool, [first, ...more]]) => `${pool} (${first!.device}${more.length > 0 ? ` and ${more.length} more` : ''})`)
    .join(', ');
}

/** Bridges that an engine of ours made: their routes are subnets in use, not obstacles. */
function isOurs(host: Host, device: string): boolean {
  return /^(wherry|br-)/.test(device) && host.list(`/sys/class/net/${device}/bridge`) !== undefined;
}

function covers(outer: Range, inner: Range): boolean {
  return outer.first <= inner.first && outer.last >= inner.last;
}

function nameservers(host: Host, path: string): string[] {
  return [...(host.read(path) ?? '').matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]!);
}

function isLoopback(server: string): boolean {
  return server.startsWith('127.') || server === '::1';
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
