/** Certificates for tests, made by openssl: an authority of one's own, and what it signs. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  /** PEM. */
  certificate: string;
  key: string;
}

/** A private authority: `own` is its certificate, `issue` signs one for these names (`DNS:a`, `IP:127.0.0.1`). */
export class TestAuthority implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'wherry-authority-'));
  readonly own: string;
  #serial = 0;

  constructor(name = 'Test Authority') {
    this.#openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    );
    this.own = readFileSync(join(this.#folder, 'ca.crt'), 'utf8');
  }

  issue(names = 'IP:127.0.0.1,DNS:localhost'): Certificate {
    const at = `cert${this.#serial++}`;
    writeFileSync(join(this.#folder, `${at}.ext`), `subjectAltName=${names}\n`);
    this.#openssl('req', ...newKey, '-keyout', `${at}.key`, '-out', `${at}.csr`, '-subj', '/CN=test');
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', `${at}.ext`];
    this.#openssl('x509', '-req', '-in', `${at}.csr`, '-out', `${at}.crt`, ...signed);
    return {
      certificate: readFileSync(join(this.#folder, `${at}.crt`), 'utf8'),
      key: readFileSync(join(this.#folder, `${at}.key`), 'utf8'),
    };
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: 'pipe', timeout: 20_000 });
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
