/** The user's registry credentials, all in one file: what a service with `use_api_socket` is given. */
import { credentialsFor } from '../../context/index.ts';
import type { Session } from '../session.ts';

export async function allCredentials(session: Session): Promise<string> {
  const { data } = session.config();
  const registries = [...new Set([...Object.keys(data.auths ?? {}), ...Object.keys(data.credHelpers ?? {})])];
  const entries = await Promise.all(
    registries.map(async (registry) => {
      const { username, password, identitytoken } = await credentialsFor(session, registry);
      const auth =
        username === undefined ? {} : { auth: Buffer.from(`${username}:${password ?? ''}`).toString('base64') };
      return [registry, { ...auth, ...(identitytoken === undefined ? {} : { identitytoken }) }] as const;
    }),
  );
  const known = entries.filter(([, entry]) => Object.keys(entry).length > 0);
  return `${JSON.stringify({ auths: Object.fromEntries(known) }, undefined, '\t')}\n`;
}
