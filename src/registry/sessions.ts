/** Finds the address that answers for a registry's name; for pulls asks its mirrors first and falls through what they fail at. */
import { type Logger, messageOf, Shared } from '../std/index.ts';
import type { Authorizer } from './authorizer.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Clock } from './clock.ts';
import type { Credentials } from './credentials.ts';
import { registryFault } from './fault.ts';
import type { Base, Hosts } from './hosts.ts';
import { MirrorHealth } from './mirror-health.ts';
import { Session } from './session.ts';
import { TransportFault } from './transport-fault.ts';
import type { Transport } from './transport.ts';

export interface PullOptions {
  credentials: Credentials | undefined;
  /** Ask mirrors, too. */
  mirrors: boolean;
}

const pingAgeMs = 300_000;

export class Sessions {
  readonly #transport: Transport;
  readonly #hosts: Hosts;
  readonly #authorizer: Authorizer;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #health: MirrorHealth;
  /** By address: one that stands for several registries is asked once. */
  readonly #challenges = new Map<string, { challenges: Challenge[]; at: number }>();
  readonly #pinging = new Shared<Challenge[]>();

  constructor(parts: { transport: Transport; hosts: Hosts; authorizer: Authorizer; clock: Clock; log: Logger }) {
    this.#transport = parts.transport;
    this.#hosts = parts.hosts;
    this.#authorizer = parts.authorizer;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#health = new MirrorHealth(parts.clock);
  }

  /** With the registry itself. @throws TransportFault, RegistryFault of the last address tried */
  async open(domain: string, credentials: Credentials | undefined, signal: AbortSignal): Promise<Session> {
    const all = await this.#hosts.bases(domain);
    const known = all.find((base) => this.#known(base) !== undefined);
    let failure: unknown;
    for (const base of known === undefined ? all : [known]) {
      try {
        return await this.#session(base, credentials, signal);
      } catch (error) {
        signal.throwIfAborted();
        // Of several addresses the last one's refusal is told: for an insecure registry that is plain HTTP.
        failure = error;
      }
    }
    throw failure;
  }

  /** Runs `task` with the first address it succeeds with; what the registry itself answers is final. */
  async pull<T>(
    domain: string,
    options: PullOptions,
    task: (session: Session) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const mirrors = options.mirrors ? await this.#hosts.mirrors(domain) : [];
    const [resting, healthy] = [true, false].map((wanted) =>
      mirrors.filter(({ url }) => this.#health.resting(url) === wanted),
    ) as [Base[], Base[]];
    const found = await this.#ask(domain, healthy, task, signal);
    if (found !== undefined) return found.value;
    try {
      return await task(await this.open(domain, options.credentials, signal));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TransportFault)) throw error;
      // Nobody else is left to ask.
      const late = await this.#ask(domain, resting, task, signal);
      if (late === undefined) throw error;
      return late.value;
    }
  }

  async #ask<T>(
    domain: string,
    mirrors: readonly Base[],
    task: (session: Session) => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ value: T } | undefined> {
    for (const base of mirrors) {
      try {
        // What opens the registry's doors is not shown to its mirrors.
        return { value: await task(await this.#session(base, undefined, signal)) };
      } catch (error) {
        signal.throwIfAborted();
        if (!this.#note(base.url, error)) {
          this.#log.debug('Mirror could not help', { mirror: base.url, registry: domain, error: messageOf(error) });
        }
      }
    }
    return undefined;
  }

  /** A transfer from there broke off. */
  broke({ mirror, url }: Base, error: unknown): void {
    if (mirror) this.#note(url, error);
  }

  /** @returns whether the mirror rests now */
  #note(url: string, error: unknown): boolean {
    const rests = this.#health.failed(url, error);
    if (rests) this.#log.warn('Mirror failed and is left alone for a while', { mirror: url, error: messageOf(error) });
    return rests;
  }

  async #session(base: Base, credentials: Credentials | undefined, signal: AbortSignal): Promise<Session> {
    const challenges =
      this.#known(base) ?? (await this.#pinging.run(base.url, (shared) => this.#ping(base, shared), signal));
    return new Session(this.#transport, this.#authorizer, { base, challenges }, credentials);
  }

  #known(base: Base): Challenge[] | undefined {
    const known = this.#challenges.get(base.url);
    return known !== undefined && this.#clock.now() - known.at < pingAgeMs ? known.challenges : undefined;
  }

  async #ping(base: Base, signal: AbortSignal): Promise<Challenge[]> {
    const { headers } = base;
    const url = `${base.url}/v2/`;
    const response = await this.#transport.send({ method: 'GET', url, headers, trust: base, signal });
    if (response.status !== 200 && response.status !== 401) throw await registryFault(response);
    const challenges = response.status === 401 ? parseChallenges(response.headers['www-authenticate'] ?? '') : [];
    await response.discard();
    this.#challenges.set(base.url, { challenges, at: this.#clock.now() });
    return challenges;
  }
}
