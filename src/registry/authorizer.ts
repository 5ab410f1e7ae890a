/** Answers registries' challenges: basic, or a bearer token, kept until it ends and asked for once however many want it. */
import { createHash } from 'node:crypto';
import { Shared } from '../std/index.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Clock } from './clock.ts';
import { basicAuthorization, type Credentials, plainCredentials } from './credentials.ts';
import type { Trust } from './dispatchers.ts';
import { fetchToken, type Token, type TokenRequest } from './token-service.ts';
import type { Transport } from './transport.ts';

export interface AuthorizationRequest {
  trust: Trust;
  challenges: readonly Challenge[];
  /** Space-separated scopes the request needs. */
  scope: string;
  credentials: Credentials | undefined;
  /** The header that was just refused: a kept token that is in it is not given again. */
  refused?: string | undefined;
}

const keptTokens = 1000;

export class Authorizer {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Token>();
  readonly #asking = new Shared<Token>();

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  /** The Authorization header; undefined when there is nothing to answer with. @throws RegistryFault of the token service */
  async header(wanted: AuthorizationRequest, signal: AbortSignal): Promise<string | undefined> {
    const credentials = plainCredentials(wanted.credentials);
    const challenge = wanted.challenges.find(({ scheme }) => scheme === 'bearer');
    if (challenge !== undefined) {
      const given = credentials.registrytoken ?? '';
      if (given !== '') return `Bearer ${given}`;
      const scope = wanted.scope === '' ? (challenge.parameters['scope'] ?? '') : wanted.scope;
      const asked = { trust: wanted.trust, challenge, scope, credentials, offline: false };
      return `Bearer ${(await this.#token(asked, wanted.refused, signal)).value}`;
    }
    if (!wanted.challenges.some(({ scheme }) => scheme === 'basic')) return undefined;
    const { username = '', password = '' } = credentials;
    return username === '' ? undefined : basicAuthorization(username, password);
  }

  /** Tries the credentials on the challenge of a WWW-Authenticate header; also returns the identity token it may give. */
  async login(
    trust: Trust,
    header: string,
    credentials: Credentials,
    signal: AbortSignal,
  ): Promise<{ authorization: string | undefined; identityToken: string }> {
    const challenges = parseChallenges(header);
    const challenge = challenges.find(({ scheme }) => scheme === 'bearer');
    if (challenge === undefined) {
      return {
        authorization: await this.header({ trust, challenges, scope: '', credentials }, signal),
        identityToken: '',
      };
    }
    const asked = { trust, challenge, scope: '', credentials: plainCredentials(credentials), offline: true };
    const token = await fetchToken(this.#transport, this.#clock, asked, signal);
    return { authorization: `Bearer ${token.value}`, identityToken: token.refresh ?? '' };
  }

  async #token(asked: TokenRequest, refused: string | undefined, signal: AbortSignal): Promise<Token> {
    const key = keyOf(asked);
    const kept = this.#tokens.get(key);
    if (kept !== undefined && kept.expiresAt > this.#clock.now() && refused !== `Bearer ${kept.value}`) return kept;
    return this.#asking.run(
      key,
      async (shared) => {
        const token = await fetchToken(this.#transport, this.#clock, asked, shared);
        if (this.#tokens.size >= keptTokens) this.#tokens.clear();
        this.#tokens.set(key, token);
        return token;
      },
      signal,
    );
  }
}

/** One way: secrets are not kept as keys. */
function keyOf({ challenge, scope, credentials }: TokenRequest): string {
  const { realm, service } = challenge.parameters;
  const { username, password, identitytoken } = credentials;
  return createHash('sha256')
    .update(JSON.stringify([realm, service, scope, username, password, identitytoken]))
    .digest('hex');
}
