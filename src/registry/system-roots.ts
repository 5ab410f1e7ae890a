/** The authorities this system trusts, from where Go programs look for them; Node's own list where the system has none. */
import { readFile } from 'node:fs/promises';
import { getCACertificates, rootCertificates } from 'node:tls';

const bundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** PEM texts. `SSL_CERT_FILE` names a bundle of one's own, NODE_EXTRA_CA_CERTS adds to whatever there is. */
export async function systemRoots(env: NodeJS.ProcessEnv): Promise<string[]> {
  const named = env['SSL_CERT_FILE'] ?? '';
  for (const path of named === '' ? bundles : [named]) {
    const bundle = await readFile(path, 'utf8').catch(() => '');
    if (bundle.includes('-----BEGIN CERTIFICATE-----')) return [bundle, ...getCACertificates('extra')];
  }
  return [...rootCertificates, ...getCACertificates('extra')];
}
