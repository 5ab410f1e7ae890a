/** Authorised requests to one address of a registry: signs each, and renews a token that ended under way. */
import { Fault } from '../std/index.ts';
import type { Authorizer } from './authorizer.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { isPassing, registryFault } from './fault.ts';
import type { Base } from './hosts.ts';
import { verb } from './transport-fault.ts';
import type { HttpRequest, HttpResponse, Transport } from './transport.ts';

export interface Endpoint {
  base: Base;
  /** What it wants to know of us. */
  challenges: Challenge[];
}

export class Session {
  readonly base: Base;
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;
  readonly #endpoint: Endpoint;
  readonly #credentials: Credentials | undefined;

  constructor(transport: Transport, authorizer: Authorizer, endpoint: Endpoint, credentials: Credentials | undefined) {
    this.#transport = transport;
    this.#authorizer = authorizer;
    this.#endpoint = endpoint;
    this.#credentials = credentials;
    this.base = endpoint.base;
  }

  url(path: string): string {
    const { url, namespace } = this.base;
    const query = namespace === undefined ? '' : `${path.includes('?') ? '&' : '?'}ns=${encodeURIComponent(namespace)}`;
    return `${url}${path}${query}`;
  }

  /**
   * An address the registry named, as it may be asked: never over plain HTTP where the registry itself was reached by TLS.
   * @throws Fault internal when it is none
   */
  follow(location: string | undefined, from: string): string {
    if (location === undefined || !URL.canParse(location, from)) {
      throw new Fault('internal', `Cannot follow ${from}: its answer has no usable Location`);
    }
    const target = new URL(location, from);
    const home = new URL(this.base.url);
    if (home.protocol === 'https:' && target.protocol === 'http:' && target.hostname === home.hostname) {
      // A registry behind a TLS proxy that does not know it.
      target.protocol = 'https:';
      target.port = home.port;
    }
    return target.href;
  }

  /** @param wanted.scope space-separated. @throws TransportFault; RegistryFault for 429 and other passing refusals */
  async send(wanted: Omit<HttpRequest, 'trust'> & { scope: string }): Promise<HttpResponse> {
    const { scope, ...request } = wanted;
    // Elsewhere nobody needs to know who we are.
    const home = new URL(wanted.url).origin === new URL(this.base.url).origin;
    let { challenges } = this.#endpoint;
    let refused: string | undefined;
    for (let attempt = 0; ; attempt++) {
      const authorization = home ? await this.#authorization(challenges, scope, refused, wanted.signal) : undefined;
      const headers = {
        ...wanted.headers,
        ...(home ? this.base.headers : {}),
        ...(authorization === undefined ? {} : { authorization }),
      };
      const response = await this.#transport.send({ ...request, headers, trust: this.base });
      if (isPassing(response.status)) throw await registryFault(response);
      if (response.status !== 401 || attempt > 0 || !home) return response;
      challenges = parseChallenges(response.headers['www-authenticate'] ?? '');
      const onlyBasic = challenges.length > 0 && challenges.every((challenge) => challenge.scheme === 'basic');
      if (onlyBasic && authorization === undefined && (await this.#nameless(challenges, scope, wanted.signal))) {
        await response.discard();
        throw new Fault(
          'unauthorized',
          `${verb(wanted.method)} ${JSON.stringify(wanted.url)}: no basic auth credentials`,
        );
      }
      if (challenges.length === 0 || (onlyBasic && authorization !== undefined)) return response;
      refused = authorization;
      await response.discard();
    }
  }

  #authorization(
    challenges: readonly Challenge[],
    scope: string,
    refused: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    return this.#authorizer.header(
      { trust: this.base, challenges, scope, credentials: this.#credentials, refused },
      signal,
    );
  }

  /** There is nothing to answer a basic challenge with. */
  async #nameless(challenges: readonly Challenge[], scope: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#authorization(challenges, scope, undefined, signal)) === undefined;
  }
}
