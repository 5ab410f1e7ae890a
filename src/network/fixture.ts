/** What the room's tests share: a networking on throw-away folders, and programs run inside namespaces. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bindInNamespace, runInNetworkNamespace } from '../linux/index.ts';
import { type ProgramResult, runProgram, silentLogger } from '../std/index.ts';
import type { EndpointRequest, NetworkEvent, Networking, NetworkingOptions } from './door.ts';
import { openNetworking } from './open.ts';

export const skipUnlessRoot: string | false =
  process.getuid?.() === 0 ? false : 'needs root (network namespaces, nftables)';

export interface Fixture {
  networking: Networking;
  options: NetworkingOptions;
  events: NetworkEvent[];
  /** Another daemon on the same folders, as after a crash of the first. */
  reopen(): Promise<Networking>;
  close(): Promise<void>;
}

export async function openFixture(overrides: Partial<NetworkingOptions> = {}): Promise<Fixture> {
  const mark = randomBytes(2).toString('hex');
  const folder = mkdtempSync(join(tmpdir(), 'wherry-network-'));
  const events: NetworkEvent[] = [];
  // A pool of its own: tests run beside other daemons.
  const third = 16 + (randomBytes(1)[0]! % 200);
  const options: NetworkingOptions = {
    root: join(folder, 'root'),
    runRoot: join(folder, 'run'),
    bridge: `wt${mark}`,
    bip: undefined,
    bip6: undefined,
    fixedCidr: undefined,
    defaultGateway: undefined,
    defaultGatewayV6: undefined,
    driverDefaults: {},
    directRouting: false,
    addressPools: [{ base: `10.${third}.0.0/16`, size: 26 }],
    tableName: `wherry_test_${mark}`,
    defaultPublishAddress: '',
    respectHostFirewall: false,
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    hostGatewayIp: undefined,
    mtu: 1500,
    ipv6: false,
    fixedCidrV6: undefined,
    icc: true,
    userlandProxy: true,
    hostPorts: undefined,
    emit: (event) => events.push(event),
    ...overrides,
  };
  const opened: Networking[] = [];
  const open = async (): Promise<Networking> => {
    const networking = await openNetworking({ ...options, logger: silentLogger });
    opened.push(networking);
    return networking;
  };
  const networking = await open();
  return {
    networking,
    options,
    events,
    reopen: open,
    async close() {
      for (const item of opened.reverse()) await item.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function endpoint(network: string, more: Partial<EndpointRequest> = {}): EndpointRequest {
  return { network, config: {}, dnsNames: [], links: [], ...more };
}

/** Runs a program inside the namespace at `path`. */
export function within(path: string, ...command: string[]): Promise<ProgramResult> {
  return runProgram('timeout', ['10', 'nsenter', `--net=${path}`, ...command]);
}

/** Answers every TCP connection inside the namespace with the client's address. */
export function whoServer(path: string, port: number, address = '0.0.0.0'): Server {
  const { fd } = runInNetworkNamespace(path, () => bindInNamespace('tcp', address, port));
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`${socket.remoteAddress}\n`);
  });
  server.listen({ fd });
  return server;
}

/** What a TCP server says; "" when nobody answers within two seconds. */
export async function ask(path: string | undefined, address: string, port: number): Promise<string> {
  const command = ['busybox', 'nc', '-w', '2', address, String(port)];
  const result = path === undefined ? await runProgram('timeout', ['10', ...command]) : await within(path, ...command);
  return result.stdout.trim();
}

export async function pings(path: string, address: string): Promise<boolean> {
  return (await within(path, 'busybox', 'ping', '-c', '1', '-W', '1', address)).code === 0;
}
