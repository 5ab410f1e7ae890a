/** The name under which a server's credentials are kept, as `login` and `logout` are given it. */
import { hubKey } from '../../context/index.ts';

export function keyOfServer(server: string | undefined): string {
  const bare = (server ?? '').replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const host = bare.split('/')[0]!;
  if (['', 'docker.io', 'index.docker.io', 'registry-1.docker.io'].includes(host)) return hubKey;
  return host;
}
