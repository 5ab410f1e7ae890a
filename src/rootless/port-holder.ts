/**
 * Ports of the host for containers. Each container that publishes has a pasta(1) of its own with a tap in the daemon's network
 * namespace: what comes in keeps the client's address, and goes on while no daemon runs. Replies leave by the tap that the request
 * came by: connections carry the tap's mark.
 */
import { createSocket } from 'node:dgram';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer, isIPv6 } from 'node:net';
import { join } from 'node:path';
import { errorCode, type Logger, messageOf } from '../std/index.ts';
import type { Holder } from './holder.ts';
import { type HeldPort, PortRefused, type Tap } from './port-message.ts';
import { findPasta, must } from './program.ts';
import { PortRelay, relayAddress, relayMark, relayTable } from './port-relay.ts';
import { endKept, keptOf, readKept, writeKept } from './state.ts';

interface Forward {
  container: string;
  /** Of the tap. */
  index: number;
}

const mostTaps = 8192;
const table = 'wherry_taps';
const firstMark = 0x5700_0000;
const firstTable = 57_000;

export class PortHolder {
  readonly #folder: string;
  readonly #holder: Holder;
  readonly #log: Logger;
  readonly #relay: PortRelay;
  #turn: Promise<unknown> = Promise.resolve();
  #hasWarned = false;

  constructor(state: string, holder: Holder, log: Logger) {
    this.#folder = join(state, 'ports');
    this.#holder = holder;
    this.#log = log;
    this.#relay = new PortRelay(state, log);
  }

  async open(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
  }

  /** One after the other: which tap is free must not change meanwhile. @throws PortRefused */
  hold(container: string, ports: readonly HeldPort[]): Promise<Tap[]> {
    return this.#inTurn(() => this.#hold(container, ports));
  }

  release(container: string): Promise<void> {
    return this.#inTurn(() => this.#release(container));
  }

  /** All containers whose forwards live. */
  held(): string[] {
    return [...new Set([...this.#relay.held(), ...this.#forwards().map(({ container }) => container)])];
  }

  async close(): Promise<void> {
    for (const container of this.held()) await this.release(container);
    this.#relay.close();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work, work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #hold(container: string, ports: readonly HeldPort[]): Promise<Tap[]> {
    if (!/^[0-9a-zA-Z_.-]+$/.test(container)) throw new PortRefused('no name of a container', 'EINVAL', undefined);
    await this.#release(container);
    for (const [index, port] of ports.entries()) await probe(port, index);
    const found = await findPasta();
    if ('path' in found) {
      try {
        const taps: Tap[] = [];
        for (const [number, group] of groupsOf(ports).entries()) {
          const tap = await this.#forward(found.path, { container, number }, group);
          for (const port of group) taps[ports.indexOf(port)] = tap;
        }
        return taps;
      } catch (error) {
        await this.#release(container);
        if (error instanceof PortRefused) throw error;
        this.#warn(messageOf(error));
      }
    } else this.#warn(found.why);
    await this.#relay.hold(container, ports);
    const address4 = (await this.#admitRelay()) ? relayAddress : '';
    return ports.map(() => ({ address4, address6: '' }));
  }

  #warn(why: string): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#log.warn(
      'published ports are relayed: TCP only, while the daemon runs, and without the address of IPv6 clients',
      {
        why,
      },
    );
  }

  /** Lets the daemon inside speak in the name of clients, and hear what is answered to them. @returns whether that can be */
  async #admitRelay(): Promise<boolean> {
    const commands = [
      ...marks,
      `add chain inet ${table} outgoing { type filter hook output priority -150; }`,
      `flush chain inet ${table} outgoing`,
      // Only what speaks for somebody else comes from us with an address that is not ours.
      `add rule inet ${table} outgoing ct state new fib saddr type != local ct mark set ${relayMark}`,
    ];
    const script = [
      'ip addr replace "$1/32" dev lo',
      'ip route replace local default dev lo table "$3"',
      'ip rule del fwmark "$2" lookup "$3" 2>/dev/null || true',
      'ip rule add fwmark "$2" lookup "$3"',
    ].join('\n');
    try {
      await this.#holder.run(['nft', '-f', '-'], `${commands.join('\n')}\n`);
      await this.#holder.run(['sh', '-euc', script, 'sh', relayAddress, String(relayMark), String(relayTable)]);
      return true;
    } catch (error) {
      this.#log.warn('published ports lose the address of clients', { why: messageOf(error) });
      return false;
    }
  }

  async #forward(
    pasta: string,
    { container, number }: { container: string; number: number },
    ports: readonly HeldPort[],
  ): Promise<Tap> {
    const taken = new Set(this.#forwards().map(({ index }) => index));
    let index = 1;
    while (taken.has(index))
      if (++index > mostTaps) throw new PortRefused('too many containers publish', 'EMFILE', undefined);
    const tap = tapOf(index);
    const gateway = gatewayOf(index);
    const file = join(this.#folder, `${container}.${number}.json`);
    const pidFile = join(this.#folder, 'pasta.pid');
    const words = specificationsOf(ports);
    // A kind without ports would be forwarded as the host has them.
    if (!ports.some(({ protocol }) => protocol === 'tcp')) words.push('-t', 'none');
    if (!ports.some(({ protocol }) => protocol === 'udp')) words.push('-u', 'none');
    try {
      await must(pasta, [
        '-I',
        linkOf(index),
        '-a',
        tap.address4,
        '-n',
        '30',
        '-g',
        gateway.address4,
        '-a',
        tap.address6,
        '-g',
        gateway.address6,
        ...words,
        '-T',
        'none',
        '-U',
        'none',
        '-q',
        '-P',
        pidFile,
        '--no-dhcp',
        '--no-ra',
        '--no-dhcpv6',
        '--no-map-gw',
        '--host-lo-to-ns-lo',
        '--userns',
        this.#holder.userNamespace,
        '--netns',
        this.#holder.networkNamespace,
      ]);
    } catch (error) {
      // Somebody was quicker after all.
      if (/Failed to bind|Address already in use/i.test(messageOf(error)))
        throw new PortRefused('address already in use', 'EADDRINUSE', ports.length === 1 ? 0 : undefined);
      throw error;
    }
    const kept = keptOf(Number(readFileSync(pidFile, 'utf8').trim()), 'pasta');
    await writeKept(file, kept, { container, index });
    await this.#connect(index);
    return tap;
  }

  /** Addresses, a way back, and the mark that finds it. */
  async #connect(index: number): Promise<void> {
    const [link, mark, number] = [linkOf(index), firstMark + index, firstTable + index];
    const { address4, address6 } = tapOf(index);
    const gateway = gatewayOf(index);
    const commands = [...marks, `add element inet ${table} taps { "${link}" : ${mark} }`];
    await this.#holder.run(['nft', '-f', '-'], `${commands.join('\n')}\n`);
    const script = [
      'for file in /proc/sys/net/ipv4/conf/all/rp_filter "/proc/sys/net/ipv4/conf/$1/rp_filter"; do echo 0 >"$file"; done',
      'ip link set "$1" up',
      'ip addr replace "$2/30" dev "$1"',
      'ip route replace default via "$4" dev "$1" table "$7"',
      'ip rule add fwmark "$6" lookup "$7" && ip rule add from "$2" lookup "$7"',
      // A host without IPv6 has none here either.
      'if [ -e /proc/sys/net/ipv6 ] && [ "$(cat /proc/sys/net/ipv6/conf/all/disable_ipv6)" = 0 ]; then',
      '  ip -6 addr replace "$3/64" dev "$1" nodad; ip -6 route replace default via "$5" dev "$1" table "$7"',
      '  ip -6 rule add fwmark "$6" lookup "$7"; ip -6 rule add from "$3" lookup "$7"',
      'fi',
    ].join('\n');
    const values = [link, address4, address6, gateway.address4, gateway.address6, String(mark), String(number)];
    await this.#holder.run(['sh', '-euc', script, 'sh', ...values]);
  }

  /** The tap goes with its pasta, its addresses and routes with the tap. */
  async #disconnect(index: number): Promise<void> {
    const { address4, address6 } = tapOf(index);
    const number = String(firstTable + index);
    const script = [
      'ip rule del fwmark "$1" lookup "$2"; ip rule del from "$3" lookup "$2"',
      'ip -6 rule del fwmark "$1" lookup "$2"; ip -6 rule del from "$4" lookup "$2"',
      `nft delete element inet ${table} taps "{ \\"$5\\" }"`,
    ].join('\n');
    const values = [String(firstMark + index), number, address4, address6, linkOf(index)];
    await this.#holder.run(['sh', '-c', `{ ${script}\n} 2>/dev/null; true`, 'sh', ...values]);
  }

  async #release(container: string): Promise<void> {
    this.#relay.release(container);
    for (const name of readdirSync(this.#folder)) {
      const match = /^(.+)\.\d+\.json$/.exec(name);
      if (match?.[1] !== container) continue;
      const file = join(this.#folder, name);
      const forward = readForward(file);
      await endKept(file);
      if (forward !== undefined) await this.#disconnect(forward.index);
    }
  }

  #forwards(): Forward[] {
    return readdirSync(this.#folder)
      .filter((name) => name.endsWith('.json'))
      .flatMap((name) => readForward(join(this.#folder, name)) ?? []);
  }
}

function readForward(file: string): Forward | undefined {
  const kept = readKept(file);
  return kept === undefined ? undefined : { container: String(kept['container']), index: Number(kept['index']) };
}

/** One forwarder knows a port number of the host once; for another address of the same there is another. */
function groupsOf(ports: readonly HeldPort[]): HeldPort[][] {
  const groups: HeldPort[][] = [];
  for (const port of ports) {
    const fits = (group: readonly HeldPort[]): boolean =>
      group.every(
        (other) => other.protocol !== port.protocol || other.hostPort !== port.hostPort || areOne(other, port),
      );
    const group = groups.find(fits);
    if (group === undefined) groups.push([port]);
    else group.push(port);
  }
  return groups;
}

/** 0.0.0.0 and ::, which one socket serves. */
function areOne(one: HeldPort, other: HeldPort): boolean {
  const both = [one.hostAddress, other.hostAddress];
  return one.port === other.port && both.includes('0.0.0.0') && both.includes('::');
}

function specificationsOf(ports: readonly HeldPort[]): string[] {
  return ports.flatMap((port) => {
    const { protocol, hostAddress, hostPort } = port;
    const pair = ports.find((other) => other !== port && other.protocol === protocol && other.hostPort === hostPort);
    if (pair !== undefined && hostAddress === '::') return [];
    const address = pair === undefined ? `${hostAddress}/` : '';
    return [protocol === 'tcp' ? '-t' : '-u', `${address}${hostPort}:${port.port}`];
  });
}

/** Once for the namespace; said again it changes nothing but the rules' order, which does not matter: the chain is emptied first. */
const marks = [
  `add table inet ${table}`,
  `add map inet ${table} taps { type ifname : mark; }`,
  `add chain inet ${table} incoming { type filter hook prerouting priority -150; }`,
  `flush chain inet ${table} incoming`,
  `add rule inet ${table} incoming ct state new ct mark set iifname map @taps`,
  `add rule inet ${table} incoming ct direction reply ct mark != 0 meta mark set ct mark`,
];

const linkOf = (index: number): string => `wt${index}`;

/** Link-local, for IPv4 in /30 nets from 169.254.64.0 on; unique local for IPv6. */
function tapOf(index: number): Tap {
  const at = 0x4000 + index * 4 + 2;
  return { address4: `169.254.${at >> 8}.${at & 0xff}`, address6: `fd57:6865:7272:${index.toString(16)}::2` };
}

function gatewayOf(index: number): Tap {
  const at = 0x4000 + index * 4 + 1;
  return { address4: `169.254.${at >> 8}.${at & 0xff}`, address6: `fd57:6865:7272:${index.toString(16)}::1` };
}

/** Whether the port can be had: pasta's words would not tell what is wrong. @throws PortRefused */
function probe({ protocol, hostAddress, hostPort }: HeldPort, index: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void =>
      reject(new PortRefused(wordsFor(errorCode(error), hostPort) ?? error.message, errorCode(error) ?? 'EIO', index));
    if (protocol === 'udp') {
      const socket = createSocket(isIPv6(hostAddress) ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' });
      socket.once('error', refuse);
      socket.bind(hostPort, hostAddress, () => socket.close(() => resolve()));
      return;
    }
    const server = createServer();
    server.once('error', refuse);
    server.listen({ port: hostPort, host: hostAddress, ipv6Only: true, exclusive: true }, () =>
      server.close(() => resolve()),
    );
  });
}

function wordsFor(code: string | undefined, port: number): string | undefined {
  if (code === 'EADDRINUSE') return 'address already in use';
  if (code === 'EADDRNOTAVAIL') return 'cannot assign requested address';
  if (code !== 'EACCES') return undefined;
  let first = '1024';
  try {
    first = readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8').trim();
  } catch {
    // An old kernel.
  }
  return `cannot expose privileged port ${port}, you can add 'net.ipv4.ip_unprivileged_port_start=${port}' to /etc/sysctl.conf (currently ${first}), or choose a larger port number (>= ${first}): permission denied`;
}
