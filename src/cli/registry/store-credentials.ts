/** Keeps and forgets credentials: in the helper if there is one, else in config.json. */
import type { Session } from '../session.ts';
import { askHelper, helperFor } from '../../context/index.ts';

export interface Secret {
  username: string;
  password: string;
  identitytoken?: string | undefined;
}

export async function storeCredentials(session: Session, key: string, secret: Secret): Promise<void> {
  const config = session.config();
  const helper = helperFor(config.data, key, key);
  const token = secret.identitytoken ?? '';
  config.data.auths ??= {};
  if (helper === undefined) {
    const password = token === '' ? secret.password : '';
    config.data.auths[key] = {
      auth: Buffer.from(`${secret.username}:${password}`).toString('base64'),
      ...(token === '' ? {} : { identitytoken: token }),
    };
    config.save();
    const path = `${config.folder}/config.json`;
    session.err.write(
      `\nWARNING! Your credentials are stored unencrypted in '${path}'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n`,
    );
    return;
  }
  const Username = token === '' ? secret.username : '<token>';
  const Secret = token === '' ? secret.password : token;
  await askHelper(helper, 'store', JSON.stringify({ ServerURL: key, Username, Secret }));
  config.data.auths[key] = {};
  config.save();
}

/** @returns whether there were any */
export async function eraseCredentials(session: Session, key: string): Promise<boolean> {
  const config = session.config();
  const helper = helperFor(config.data, key, key);
  if (helper !== undefined) await askHelper(helper, 'erase', key);
  // Older clients kept them under whole addresses.
  const known = [key, `http://${key}`, `https://${key}`].filter((name) => config.data.auths?.[name] !== undefined);
  for (const name of known) delete config.data.auths![name];
  if (known.length > 0) config.save();
  return known.length > 0;
}
