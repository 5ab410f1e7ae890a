/**
 * Certificates that an operator laid down for a registry, in dockerd's layout: `<folder>/<host[:port]>/` with authorities in `*.crt` and
 * client certificates in `*.cert`, each with its `*.key`. Read anew for every connection made, so that a change needs no restart.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, Fault, messageOf } from '../std/index.ts';

export interface HostCertificates {
  /** PEM, each with one or more authorities. */
  authorities: string[];
  /** What to show when asked who we are, best first. */
  own: { certificate: string; key: string }[];
}

const fileLimit = 1 << 20;

/** All that `folders` hold for `host` (`name` or `name:port`). @throws Fault invalid in dockerd's words */
export async function readCertificates(folders: readonly string[], host: string): Promise<HostCertificates> {
  const found: HostCertificates = { authorities: [], own: [] };
  // A host comes out of a URL: no slash, and never "." or "..".
  if (host === '' || host.startsWith('.')) return found;
  for (const folder of folders) await addFolder(join(folder, host), found);
  return found;
}

async function addFolder(folder: string, found: HostCertificates): Promise<void> {
  let names: string[];
  try {
    names = (await readdir(folder)).sort();
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return;
    throw new Fault('invalid', messageOf(error), { cause: error });
  }
  for (const name of names) {
    if (name.endsWith('.crt')) found.authorities.push(await readPem(join(folder, name)));
    else if (name.endsWith('.cert')) {
      const key = `${name.slice(0, -'.cert'.length)}.key`;
      if (!names.includes(key)) {
        throw new Fault(
          'invalid',
          `missing key ${key} for client certificate ${name}. CA certificates must use the extension .crt`,
        );
      }
      found.own.push({ certificate: await readPem(join(folder, name)), key: await readPem(join(folder, key)) });
    } else if (name.endsWith('.key') && !names.includes(`${name.slice(0, -'.key'.length)}.cert`)) {
      throw new Fault('invalid', `missing client certificate ${name.slice(0, -'.key'.length)}.cert for key ${name}`);
    }
  }
}

async function readPem(path: string): Promise<string> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > fileLimit) throw new Error(`more than ${fileLimit} bytes`);
    return bytes.toString();
  } catch (error) {
    throw new Fault('invalid', `Cannot read certificate ${path}: ${messageOf(error)}`, { cause: error });
  }
}
