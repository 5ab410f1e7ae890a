/** Which requests are answered at all: no web page of somebody else's may ask in a person's name, by its own name or by theirs. */
import { isIP } from 'node:net';
import { Refusal } from './problem.ts';

export interface GuardSettings {
  origins: ReadonlySet<string>;
  hosts: ReadonlySet<string>;
}

export interface Asked {
  method: string;
  host: string | undefined;
  origin: string | undefined;
  site: string | undefined;
}

const local = /(?:^localhost|\.(?:localhost|local|lan|home\.arpa|internal))$/;

/**
 * The origin that may read the answer (CORS), or undefined.
 * @throws Refusal 403 for a name that could be anybody's (DNS rebinding), or a change that another site's page asks for
 */
export function guard({ method, host, origin, site }: Asked, settings: GuardSettings): string | undefined {
  const name = hostName(host);
  if (name === undefined || !isOurs(name, settings.hosts))
    throw new Refusal(
      403,
      'unknown_host',
      `This PKC does not go by the name ${JSON.stringify(host ?? '')}. If it should, add the name to PKC_HOSTS.`,
    );
  const isChange = !['GET', 'HEAD', 'OPTIONS'].includes(method);
  if (origin === undefined) {
    if (isChange && site === 'cross-site') throw crossSite('another site');
    return undefined;
  }
  if (origin === `http://${host}` || origin === `https://${host}`) return origin;
  const isAllowed =
    settings.origins.has(origin) || /^http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/.test(origin);
  if (isAllowed) return origin;
  if (isChange || method === 'OPTIONS') throw crossSite(origin);
  return undefined;
}

function crossSite(origin: string): Refusal {
  return new Refusal(
    403,
    'cross_origin',
    `A page of ${origin} may not change what is here. If it should, add its origin to PKC_ORIGINS.`,
  );
}

function hostName(host: string | undefined): string | undefined {
  if (host === undefined || !URL.canParse(`http://${host}`)) return undefined;
  return new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, '').toLowerCase();
}

function isOurs(name: string, hosts: ReadonlySet<string>): boolean {
  return isIP(name) !== 0 || !name.includes('.') || local.test(name) || hosts.has(name);
}
