/** Authorised requests to the registry of one domain: finds the address that answers, then signs each request. */
import { Fault } from '../std/index.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Authorizer, Credentials } from './credentials.ts';
import { registryFault } from './fault.ts';
import type { Base, Hosts } from './hosts.ts';
import type { HttpRequest, HttpResponse, Transport } from './transport.ts';

interface Endpoint {
  base: Base;
  challenges: Challenge[];
}

const pingAgeMs = 300_000;

export class Sessions {
  readonly #transport: Transport;
  readonly #hosts: Hosts;
  readonly #authorizer: Authorizer;
  readonly #endpoints = new Map<string, { endpoint: Endpoint; at: number }>();

  constructor(transport: Transport, hosts: Hosts, authorizer: Authorizer) {
    this.#transport = transport;
    this.#hosts = hosts;
    this.#authorizer = authorizer;
  }

  /** Sessions for the domain, mirrors first when pulling. The caller falls through from a mirror to the next. */
  async open(
    domain: string,
    use: 'pull' | 'push',
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<Session[]> {
    const all = await this.#hosts.bases(domain, use === 'pull');
    const known = all.find((base) => !base.mirror && this.#known(base) !== undefined);
    const bases = known === undefined ? all : [...all.filter((base) => base.mirror), known];
    const sessions: Session[] = [];
    let failure: unknown;
    for (const base of bases) {
      if (!base.mirror && sessions.some((session) => !session.mirror)) break;
      try {
        sessions.push(
          new Session(
            this.#transport,
            this.#authorizer,
            await this.#endpoint(base, signal),
            base.mirror ? undefined : credentials,
          ),
        );
      } catch (error) {
        signal.throwIfAborted();
        // Of several addresses the last one's refusal is told: for an insecure registry that is plain HTTP.
        failure = error;
      }
    }
    if (sessions.length === 0) throw failure;
    return sessions;
  }

  #known(base: Base): Endpoint | undefined {
    const known = this.#endpoints.get(base.url);
    return known !== undefined && Date.now() - known.at < pingAgeMs ? known.endpoint : undefined;
  }

  async #endpoint(base: Base, signal: AbortSignal): Promise<Endpoint> {
    const known = this.#known(base);
    if (known !== undefined) return known;
    const response = await this.#transport.send({ method: 'GET', url: `${base.url}/v2/`, verify: base.verify, signal });
    if (response.status !== 200 && response.status !== 401) throw await registryFault(response);
    const challenges = response.status === 401 ? parseChallenges(response.headers['www-authenticate'] ?? '') : [];
    await response.discard();
    const endpoint = { base, challenges };
    this.#endpoints.set(base.url, { endpoint, at: Date.now() });
    return endpoint;
  }
}

export class Session {
  readonly mirror: boolean;
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;
  readonly #endpoint: Endpoint;
  readonly #credentials: Credentials | undefined;

  constructor(transport: Transport, authorizer: Authorizer, endpoint: Endpoint, credentials: Credentials | undefined) {
    this.#transport = transport;
    this.#authorizer = authorizer;
    this.#endpoint = endpoint;
    this.#credentials = credentials;
    this.mirror = endpoint.base.mirror;
  }

  url(path: string): string {
    return `${this.#endpoint.base.url}${path}`;
  }

  /** `body` is called anew when the request must be repeated. @throws Fault */
  async send(
    wanted: Omit<HttpRequest, 'verify' | 'body'> & { scope: string; body?: () => HttpRequest['body'] },
  ): Promise<HttpResponse> {
    const { base } = this.#endpoint;
    let { challenges } = this.#endpoint;
    for (let attempt = 0; ; attempt++) {
      const headers = { ...wanted.headers };
      const authorization = await this.#authorizer.header(
        base,
        challenges,
        wanted.scope,
        this.#credentials,
        wanted.signal,
        attempt > 0,
      );
      if (authorization !== undefined) headers['authorization'] = authorization;
      const body = wanted.body?.();
      const response = await this.#transport.send({
        method: wanted.method,
        url: wanted.url,
        headers,
        verify: base.verify,
        signal: wanted.signal,
        ...(body === undefined ? {} : { body }),
      });
      if (response.status !== 401 || attempt > 0) return response;
      challenges = parseChallenges(response.headers['www-authenticate'] ?? '');
      const onlyBasic = challenges.length > 0 && challenges.every((challenge) => challenge.scheme === 'basic');
      if (onlyBasic && authorization === undefined) {
        await response.discard();
        const method = wanted.method[0]! + wanted.method.slice(1).toLowerCase();
        throw new Fault('unauthorized', `${method} ${JSON.stringify(wanted.url)}: no basic auth credentials`);
      }
      if (challenges.length === 0 || onlyBasic) return response;
      await response.discard();
    }
  }
}
