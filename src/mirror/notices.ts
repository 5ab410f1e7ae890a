/** What a person who asks for the state of this machine should know of its cache: that it listens, where, and what that means. */
import { isLoopback, type MirrorSettings } from './settings.ts';

/** @param url where it listens; undefined when it does not yet */
export function notices(settings: MirrorSettings, url: string | undefined): string[] {
  const { host, port, tls, upstreams, credentials, clients } = settings;
  if (url === undefined)
    return [`WARNING: the pull-through cache cannot listen on ${host}:${port}; see the daemon's log`];
  const what = `the pull-through cache listens on ${url} and serves ${upstreams.join(', ')}`;
  if (isLoopback(host)) return [`Note: ${what}`];
  const lines = [`WARNING: ${what} to whoever connects from ${clients.join(', ')}`];
  if (tls === undefined) {
    lines.push(
      'WARNING: the pull-through cache has no certificate: on the way, others can see what is pulled, and change what tags mean (what is pulled by digest they cannot change)',
    );
  }
  if (credentials !== undefined) {
    lines.push(`WARNING: clients of the pull-through cache get what the credentials in ${credentials} open`);
  }
  return lines;
}
