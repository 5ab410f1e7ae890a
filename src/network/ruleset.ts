/**
 * Our nft table as text, from what it shall do. One table per daemon (family inet); networks and ports are elements of sets
 * and maps, so the number of rules never grows. Pure; firewall.ts executes it.
 *
 * A verdict here never overrules another table: "accept" ends only our chain, "drop" is final.
 */

export interface BridgeRules {
  link: string;
  internal: boolean;
  /** Containers of the network may talk to each other. */
  icc: boolean;
  /** Reachable from outside without publishing (gateway modes routed and nat-unprotected). */
  open: boolean;
  /** Subnets, and whether what leaves them takes the host's address. */
  subnets: { family: 4 | 6; cidr: string; masquerade: boolean }[];
}

export interface PortRule {
  protocol: 'tcp' | 'udp' | 'sctp';
  /** "" for every address of the family. */
  hostAddress: string;
  hostPort: number;
  family: 4 | 6;
  address: string;
  port: number;
}

export interface Ruleset {
  bridges: readonly BridgeRules[];
  ports: readonly PortRule[];
  /**
   * Published ports are reached from outside through the daemon's own listening sockets, so that the host firewall's input
   * rules decide about them as about any local service; only containers and the host itself take the kernel's short cut.
   */
  outsideThroughInput: boolean;
  /** Published ports are reached at the containers' own addresses, too. */
  directRouting: boolean;
}

/** The whole table as one transaction that replaces what was there. */
export function tableScript(table: string, rules: Ruleset): string {
  return [
    `add table inet ${table}`,
    `delete table inet ${table}`,
    `table inet ${table} {`,
    ...sets,
    ...chains(rules.outsideThroughInput),
    '}',
    ...rules.bridges.flatMap((bridge) => bridgeCommands(table, 'add', bridge)),
    ...rules.ports.map((port) => portCommand(table, 'add', port)),
    ...(rules.directRouting ? directCommands(table, 'add', rules.ports) : []),
    '',
  ].join('\n');
}

export function bridgeCommands(table: string, verb: 'add' | 'delete', bridge: BridgeRules): string[] {
  const element = (set: string, value: string): string => `${verb} element inet ${table} ${set} { ${value} }`;
  const link = `"${bridge.link}"`;
  const commands = [element('bridges', link), element('same', `${link} . ${link}`)];
  if (bridge.internal) commands.push(element('internal', link));
  if (!bridge.icc) commands.push(element('secluded', link));
  if (bridge.open) commands.push(element('open', link));
  for (const { family, cidr, masquerade } of bridge.subnets) {
    commands.push(element(`hairpin${family}`, `${cidr} . ${cidr}`));
    if (masquerade && !bridge.internal) commands.push(element(`masquerade${family}`, cidr));
  }
  return commands;
}

/** One published port: (protocol, port), or (host address, protocol, port), to (address, port). */
export function portCommand(table: string, verb: 'add' | 'delete', rule: PortRule): string {
  const key = `${rule.protocol} . ${rule.hostPort}`;
  const map = rule.hostAddress === '' ? `port${rule.family}` : `address${rule.family}`;
  const whole = rule.hostAddress === '' ? key : `${rule.hostAddress} . ${key}`;
  const value = verb === 'add' ? ` : ${rule.address} . ${rule.port}` : '';
  return `${verb} element inet ${table} ${map} { ${whole}${value} }`;
}

/** The containers' own ends of published ports; several of the host may lead to one. */
export function directCommands(table: string, verb: 'add' | 'delete', rules: readonly PortRule[]): string[] {
  const ends = rules.map(
    ({ family, address, protocol, port }) =>
      `${verb} element inet ${table} direct${family} { ${address} . ${protocol} . ${port} }`,
  );
  return [...new Set(ends)];
}

const sets = [
  '  set bridges { type ifname; }',
  '  set same { type ifname . ifname; }',
  '  set internal { type ifname; }',
  '  set secluded { type ifname; }',
  '  set open { type ifname; }',
  '  set masquerade4 { type ipv4_addr; flags interval; }',
  '  set masquerade6 { type ipv6_addr; flags interval; }',
  '  set hairpin4 { type ipv4_addr . ipv4_addr; flags interval; }',
  '  set hairpin6 { type ipv6_addr . ipv6_addr; flags interval; }',
  '  set direct4 { type ipv4_addr . inet_proto . inet_service; }',
  '  set direct6 { type ipv6_addr . inet_proto . inet_service; }',
  '  map port4 { type inet_proto . inet_service : ipv4_addr . inet_service; }',
  '  map port6 { type inet_proto . inet_service : ipv6_addr . inet_service; }',
  '  map address4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }',
  '  map address6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }',
];

function chains(outsideThroughInput: boolean): string[] {
  return [
    // The bridges route 127/8 for clients on the host itself; a container must not reach the host's loopback that way.
    ...chain('raw', 'type filter hook prerouting priority raw', ['iifname @bridges ip daddr 127.0.0.0/8 drop']),
    ...chain('prerouting', 'type nat hook prerouting priority dstnat', [
      ...(outsideThroughInput ? ['iifname != @bridges accept'] : []),
      'fib daddr type local jump published',
    ]),
    ...chain('output', 'type nat hook output priority -100', [
      'ip6 daddr ::1 accept',
      'fib daddr type local jump published',
    ]),
    ...chain('published', '', [
      'dnat ip to ip daddr . meta l4proto . th dport map @address4',
      'meta nfproto ipv4 dnat ip to meta l4proto . th dport map @port4',
      'dnat ip6 to ip6 daddr . meta l4proto . th dport map @address6',
      'meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @port6',
    ]),
    // Outside clients keep their address; only those whose answer would not come back through here are rewritten.
    ...chain('postrouting', 'type nat hook postrouting priority srcnat', [
      'oifname @bridges ip saddr 127.0.0.0/8 masquerade',
      'ct status dnat ip saddr . ip daddr @hairpin4 masquerade',
      'ct status dnat ip6 saddr . ip6 daddr @hairpin6 masquerade',
      'ip saddr @masquerade4 oifname != @bridges masquerade',
      'ip6 saddr @masquerade6 oifname != @bridges masquerade',
    ]),
    ...chain('forward', 'type filter hook forward priority filter', [
      'oifname @bridges jump inbound',
      'iifname @bridges jump outbound',
    ]),
    ...chain('inbound', '', [
      'ct state established,related accept',
      'iifname . oifname @same iifname != @secluded accept',
      'oifname @internal counter drop',
      'iifname @internal counter drop',
      'ct status dnat accept',
      'iifname != @bridges oifname @open accept',
      'iifname != @bridges ip daddr . meta l4proto . th dport @direct4 accept',
      'iifname != @bridges ip6 daddr . meta l4proto . th dport @direct6 accept',
      'counter drop',
    ]),
    ...chain('outbound', '', ['ct state established,related accept', 'iifname @internal counter drop', 'accept']),
  ];
}

function chain(name: string, hook: string, rules: readonly string[]): string[] {
  return [
    `  chain ${name} {`,
    ...(hook === '' ? [] : [`    ${hook}; policy accept;`]),
    ...rules.map((rule) => `    ${rule}`),
    '  }',
  ];
}
