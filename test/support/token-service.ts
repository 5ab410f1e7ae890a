/** A token service for Debian's docker-registry: basic passwords in, signed JSON web tokens out (distribution "Token Authentication"). */
import { randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Certificate } from './certificates.ts';

export class TokenService implements AsyncDisposable {
  readonly service = 'docker-registry.test';
  readonly issuer = 'token-service.test';
  /** Scopes of every token given, and for whom. */
  readonly given: { user: string; scopes: string[] }[] = [];
  readonly #users: Record<string, string>;
  readonly #signer: Certificate;
  readonly #refresh = new Map<string, string>();
  readonly #server = createServer((request, response) => {
    void (async () => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const form = request.method === 'POST' ? new URLSearchParams(body) : this.#query(request.url ?? '');
      const user =
        request.method === 'POST'
          ? this.#refresh.get(form.get('refresh_token') ?? '')
          : this.#basic(request.headers.authorization);
      if (user === undefined) {
        response.writeHead(401, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ details: 'incorrect username or password' }));
        return;
      }
      const scopes = form
        .getAll('scope')
        .flatMap((each) => each.split(' '))
        .filter(Boolean);
      this.given.push({ user, scopes });
      const token = this.#token(user, scopes);
      const answer: Record<string, unknown> = { token, access_token: token, expires_in: 60 };
      if (form.get('offline_token') === 'true') {
        answer['refresh_token'] = randomUUID();
        this.#refresh.set(String(answer['refresh_token']), user);
      }
      response.end(JSON.stringify(answer));
    })();
  });

  private constructor(users: Record<string, string>, signer: Certificate) {
    this.#users = users;
    this.#signer = signer;
  }

  /** @param signer its certificate is what the registry trusts (`rootcertbundle`) */
  static async open(users: Record<string, string>, signer: Certificate): Promise<TokenService> {
    const service = new TokenService(users, signer);
    await new Promise<void>((done) => {
      service.#server.listen(0, '127.0.0.1', done);
    });
    return service;
  }

  get realm(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`;
  }

  #query(path: string): URLSearchParams {
    return new URL(path, this.realm).searchParams;
  }

  #basic(header: string | undefined): string | undefined {
    const [user = '', password = ''] = Buffer.from((header ?? '').replace(/^Basic /, ''), 'base64')
      .toString()
      .split(/:(.*)/s);
    return this.#users[user] === password ? user : undefined;
  }

  #token(user: string, scopes: readonly string[]): string {
    const now = Math.floor(Date.now() / 1000);
    const access = scopes.map((scope) => {
      const match = /^([^:]+):(.+):([^:]+)$/.exec(scope)!;
      return { type: match[1], name: match[2], actions: match[3]!.split(',') };
    });
    const der = this.#signer.certificate.replaceAll(/-----[^-]+-----|\s/g, '');
    const header = { typ: 'JWT', alg: 'ES256', x5c: [der] };
    const claims = {
      iss: this.issuer,
      sub: user,
      aud: this.service,
      exp: now + 60,
      nbf: now - 10,
      iat: now,
      jti: randomUUID(),
      access,
    };
    const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    const signature = sign('sha256', Buffer.from(text), { key: this.#signer.key, dsaEncoding: 'ieee-p1363' });
    return `${text}.${signature.toString('base64url')}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((done) => {
      this.#server.close(() => done());
      this.#server.closeAllConnections();
    });
  }
}
