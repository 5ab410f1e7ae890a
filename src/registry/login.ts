/** `docker login`: tries the credentials where they will be used. */
import { STATUS_CODES } from 'node:http';
import { defaultDomain } from '../oci/index.ts';
import { Fault, messageOf } from '../std/index.ts';
import type { Authorizer } from './authorizer.ts';
import type { Credentials } from './credentials.ts';
import type { Hosts } from './hosts.ts';
import type { Transport } from './transport.ts';

export async function login(
  transport: Transport,
  hosts: Hosts,
  authorizer: Authorizer,
  credentials: Credentials,
  signal: AbortSignal,
): Promise<{ Status: string; IdentityToken: string }> {
  let failure: unknown;
  let refused: Fault | undefined;
  for (const base of await hosts.bases(domainOf(credentials.serveraddress ?? ''))) {
    const url = `${base.url}/v2/`;
    try {
      const ping = await transport.send({ method: 'GET', url, trust: base, signal });
      await ping.discard();
      if (ping.status === 200) return { Status: 'Login Succeeded', IdentityToken: '' };
      const challenge = ping.headers['www-authenticate'] ?? '';
      const { authorization, identityToken } = await authorizer.login(base, challenge, credentials, signal);
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const answer = await transport.send({ method: 'GET', url, headers, trust: base, signal });
      await answer.discard();
      if (answer.status !== 200) {
        refused = new Fault(
          'unauthorized',
          `login attempt to ${url} failed with status: ${answer.status} ${STATUS_CODES[answer.status] ?? ''}`,
        );
        throw refused;
      }
      return { Status: 'Login Succeeded', IdentityToken: identityToken };
    } catch (error) {
      signal.throwIfAborted();
      if (refused !== undefined) throw refused;
      if (error instanceof Fault && (error.kind === 'unauthorized' || error.kind === 'forbidden')) {
        throw new Fault('unauthorized', `Get ${JSON.stringify(url)}: ${messageOf(error)}`, { cause: error });
      }
      failure = error;
    }
  }
  throw failure;
}

/** The registry behind what users type or configuration files hold; the default index has several names. */
function domainOf(address: string): string {
  const host = address.replace(/^https?:\/\//, '').split('/')[0]!;
  return host === '' || host === 'index.docker.io' || host === 'registry-1.docker.io' ? defaultDomain : host;
}
