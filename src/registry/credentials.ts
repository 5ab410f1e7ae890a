/** Answers a registry's challenge: basic, or a bearer token from its token service (distribution "Token Authentication"). */
import { Fault } from '../std/index.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { registryFault } from './fault.ts';
import type { Transport } from './transport.ts';

/** What clients send as X-Registry-Auth. */
export interface Credentials {
  username?: string | undefined;
  password?: string | undefined;
  identitytoken?: string | undefined;
  registrytoken?: string | undefined;
  serveraddress?: string | undefined;
  /** base64 of `user:password`, as in the CLI's config file. */
  auth?: string | undefined;
}

interface Token {
  value: string;
  refresh: string | undefined;
  expiresAt: number;
}

const defaultSeconds = 60;

export class Authorizer {
  readonly #transport: Transport;
  readonly #tokens = new Map<string, Token>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The Authorization header for `scope` after `challenge`; undefined when there is nothing to answer with. */
  async header(
    base: { url: string; verify: boolean },
    challenges: readonly Challenge[],
    scope: string,
    credentials: Credentials | undefined,
    signal: AbortSignal,
    fresh = false,
  ): Promise<string | undefined> {
    const known = plainCredentials(credentials);
    const bearer = challenges.find((challenge) => challenge.scheme === 'bearer');
    if (bearer !== undefined) {
      if (known.registrytoken !== undefined) return `Bearer ${known.registrytoken}`;
      return `Bearer ${(await this.#token(base, bearer, scope, known, signal, fresh)).value}`;
    }
    if (!challenges.some((challenge) => challenge.scheme === 'basic')) return undefined;
    if (known.username === undefined || known.username === '') return undefined;
    return basic(known.username, known.password ?? '');
  }

  /** Asks the token service with the credentials; returns the refresh token it gave. @throws Fault unauthorized */
  async login(
    base: { url: string; verify: boolean },
    header: string,
    credentials: Credentials,
    signal: AbortSignal,
  ): Promise<{ authorization: string | undefined; identityToken: string }> {
    const challenges = parseChallenges(header);
    const bearer = challenges.find((challenge) => challenge.scheme === 'bearer');
    const known = plainCredentials(credentials);
    if (bearer === undefined) {
      return { authorization: await this.header(base, challenges, '', known, signal), identityToken: '' };
    }
    const token = await this.#token(base, bearer, '', known, signal, true);
    return { authorization: `Bearer ${token.value}`, identityToken: token.refresh ?? '' };
  }

  async #token(
    base: { verify: boolean },
    challenge: Challenge,
    scope: string,
    credentials: Credentials,
    signal: AbortSignal,
    fresh: boolean,
  ): Promise<Token> {
    const realm = challenge.parameters['realm'] ?? '';
    const service = challenge.parameters['service'] ?? '';
    const wanted = scope === '' ? (challenge.parameters['scope'] ?? '') : scope;
    const key = JSON.stringify([
      realm,
      service,
      wanted,
      credentials.username,
      credentials.password,
      credentials.identitytoken,
    ]);
    const cached = this.#tokens.get(key);
    if (!fresh && cached !== undefined && cached.expiresAt > Date.now()) return cached;
    if (!URL.canParse(realm))
      throw new Fault(
        'internal',
        `Cannot authenticate: the registry's token service ${JSON.stringify(realm)} is no URL`,
      );
    const token = await this.#fetchToken(base, new URL(realm), { service, scope: wanted }, credentials, signal);
    if (this.#tokens.size > 1000) this.#tokens.clear();
    this.#tokens.set(key, token);
    return token;
  }

  async #fetchToken(
    base: { verify: boolean },
    realm: URL,
    asked: { service: string; scope: string },
    credentials: Credentials,
    signal: AbortSignal,
  ): Promise<Token> {
    const { identitytoken, username } = credentials;
    const parameters = new URLSearchParams({ service: asked.service });
    let response;
    if (identitytoken !== undefined && identitytoken !== '') {
      if (asked.scope !== '') parameters.set('scope', asked.scope);
      parameters.set('client_id', 'wherry');
      parameters.set('grant_type', 'refresh_token');
      parameters.set('refresh_token', identitytoken);
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      response = await this.#transport.send({
        method: 'POST',
        url: realm.href,
        headers,
        body: parameters.toString(),
        verify: base.verify,
        signal,
      });
    } else {
      const headers: Record<string, string> = {};
      const url = new URL(realm);
      for (const [key, value] of parameters) url.searchParams.set(key, value);
      for (const each of asked.scope.split(' ')) if (each !== '') url.searchParams.append('scope', each);
      if (username !== undefined && username !== '') {
        url.searchParams.set('account', username);
        url.searchParams.set('offline_token', 'true');
        url.searchParams.set('client_id', 'wherry');
        headers['authorization'] = basic(username, credentials.password ?? '');
      }
      response = await this.#transport.send({ method: 'GET', url: url.href, headers, verify: base.verify, signal });
    }
    if (response.status !== 200) throw await registryFault(response);
    const body = JSON.parse((await response.read()).toString()) as Record<string, unknown>;
    const value = body['token'] ?? body['access_token'];
    if (typeof value !== 'string' || value === '') {
      throw new Fault('internal', 'authorization server did not include a token in the response');
    }
    const seconds = typeof body['expires_in'] === 'number' ? body['expires_in'] : defaultSeconds;
    return {
      value,
      refresh: typeof body['refresh_token'] === 'string' ? body['refresh_token'] : undefined,
      expiresAt: Date.now() + Math.max(seconds - 10, 1) * 1000,
    };
  }
}

function plainCredentials(credentials: Credentials | undefined): Credentials {
  if (credentials?.auth === undefined || credentials.auth === '' || (credentials.username ?? '') !== '')
    return credentials ?? {};
  const text = Buffer.from(credentials.auth, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? credentials : { ...credentials, username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
