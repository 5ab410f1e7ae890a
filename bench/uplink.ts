/** A link from the host to the network namespace of a peer, so that all engines reach one registry. */
import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** The first three numbers of the addresses used; the host's end of link n is `.4n+1`, the registry listens on link 1's. */
export const registryNetwork = '10.212.77';
export const registryAddress = `${registryNetwork}.5`;

/** The host's end of a link, and the other one. */
export const uplinkHost = (index: number): string => `${registryNetwork}.${4 * index + 1}`;
export const uplinkAddress = (index: number): string => `${registryNetwork}.${4 * index + 2}`;

/** It goes with the namespace. `index` is 1 to 3. */
export async function uplink(pid: number, index: number): Promise<void> {
  const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'ignore', timeout: 10_000 });
  for (let attempt = 0; attempt < 100 && namespaceOf(pid) === namespaceOf('self'); attempt++) await sleep(10);
  const [ours, theirs] = [`wbup${index}`, `wbdn${index}`];
  ip('link', 'add', ours, 'type', 'veth', 'peer', 'name', theirs);
  ip('link', 'set', theirs, 'netns', String(pid));
  ip('addr', 'add', `${uplinkHost(index)}/30`, 'dev', ours);
  ip('link', 'set', ours, 'up');
  const inside = (...args: string[]): void =>
    void execFileSync('nsenter', [`--net=/proc/${pid}/ns/net`, 'ip', ...args], { stdio: 'ignore', timeout: 10_000 });
  inside('addr', 'add', `${uplinkAddress(index)}/30`, 'dev', theirs);
  inside('link', 'set', theirs, 'up');
  inside('route', 'add', `${registryNetwork}.0/24`, 'via', uplinkHost(index));
}

function namespaceOf(pid: number | string): string {
  return readlinkSync(`/proc/${pid}/ns/net`);
}
