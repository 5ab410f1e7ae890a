/** `--add-host NAME:ADDRESS` or `NAME=ADDRESS`. */
import { isIP } from 'node:net';
import { Fault } from '../../std/index.ts';

/** "NAME=ADDRESS,…", as the builder takes it. @param gateway what "host-gateway" stands for. @throws Fault invalid */
export async function hostsOption(values: readonly string[], gateway: () => Promise<string>): Promise<string> {
  const hosts: string[] = [];
  for (const value of values) {
    const at = value.search(/[=:]/);
    const name = value.slice(0, at);
    const address = value.slice(at + 1).replace(/^\[|\]$/g, '');
    const isGateway = address === 'host-gateway';
    if (at <= 0 || (!isGateway && isIP(address) === 0)) {
      throw new Fault('invalid', `invalid host ${value}: write NAME:ADDRESS, as in db:10.0.0.5`);
    }
    hosts.push(`${name}=${isGateway ? await gateway() : address}`);
  }
  return hosts.join(',');
}
