/** What a person who asks for the state of this machine should know of its cache: that it listens, where, and what that means. */
import { isLoopback, type MirrorSettings, nearNetworks } from './settings.ts';

/** What lines begin with that tell of a risk, as Docker's do. */
export const warningMark = 'WARNING: ';

/** @param url where it listens; undefined when it does not yet */
export function notices(settings: MirrorSettings, url: string | undefined): string[] {
  const { host, port, tls, upstreams, credentials, clients } = settings;
  if (url === undefined)
    return [`${warningMark}the pull-through cache cannot listen on ${host}:${port}; see the daemon's log`];
  const what = `the pull-through cache listens on ${url} and serves ${upstreams.join(', ')}`;
  if (isLoopback(host)) return [`Note: ${what}`];
  const from = clients === nearNetworks ? 'this machine and private networks' : clients.join(', ');
  const lines = [`${warningMark}${what} to whoever connects from ${from}`];
  if (tls === undefined) {
    lines.push(
      `${warningMark}the pull-through cache has no certificate: on the way, others can see what is pulled, and change what tags mean (what is pulled by digest they cannot change)`,
    );
  }
  if (credentials !== undefined) {
    lines.push(`${warningMark}clients of the pull-through cache get what the credentials in ${credentials} open`);
  }
  return lines;
}
