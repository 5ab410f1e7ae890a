/** Bearer tokens from a registry's token service: distribution's "Token Authentication" (GET) and its OAuth2 form (POST). */
import { Fault } from '../std/index.ts';
import { parseObject } from '../oci/index.ts';
import type { Challenge } from './challenge.ts';
import type { Clock } from './clock.ts';
import { basicAuthorization, type Credentials } from './credentials.ts';
import type { Trust } from './dispatchers.ts';
import { registryFault } from './fault.ts';
import { withRetries } from './retry.ts';
import type { HttpResponse, Transport } from './transport.ts';

export interface Token {
  value: string;
  /** An identity token, where one was asked for and given. */
  refresh: string | undefined;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export interface TokenRequest {
  trust: Trust;
  challenge: Challenge;
  /** Space-separated; "" asks only who we are. */
  scope: string;
  credentials: Credentials;
  /** Asks for an identity token as well: for `login`. */
  offline: boolean;
}

const defaultSeconds = 60;
/** Given up before its end, so that a request sent with it still arrives in time. */
const marginSeconds = 10;
const longestSeconds = 24 * 3600;
const answerLimit = 256 << 10;
/** A header must hold it. */
const tokenLimit = 64 << 10;
const attempts = 3;
const clientId = 'wherry';

/** @throws RegistryFault unauthorized, … as the service answers; Fault internal when its answer holds no token */
export async function fetchToken(
  transport: Transport,
  clock: Clock,
  asked: TokenRequest,
  signal: AbortSignal,
): Promise<Token> {
  const realm = asked.challenge.parameters['realm'] ?? '';
  if (!/^https?:\/\//i.test(realm) || !URL.canParse(realm)) {
    throw new Fault('internal', `Cannot authenticate: the registry's token service ${JSON.stringify(realm)} is no URL`);
  }
  return withRetries(clock, { attempts }, () => once(transport, clock, new URL(realm), asked, signal), signal);
}

async function once(
  transport: Transport,
  clock: Clock,
  realm: URL,
  asked: TokenRequest,
  signal: AbortSignal,
): Promise<Token> {
  const { identitytoken = '', username = '' } = asked.credentials;
  let response: HttpResponse;
  if (identitytoken !== '') response = await post(transport, realm, asked, signal);
  else {
    response = await get(transport, realm, asked, signal);
    // A service that speaks only OAuth2.
    if ([404, 405].includes(response.status) && username !== '') {
      await response.discard();
      response = await post(transport, realm, asked, signal);
    }
  }
  if (response.status !== 200) throw await registryFault(response);
  return parseToken(await response.read(answerLimit), clock.now());
}

function get(transport: Transport, realm: URL, asked: TokenRequest, signal: AbortSignal): Promise<HttpResponse> {
  const { username = '', password = '' } = asked.credentials;
  const url = new URL(realm);
  const service = asked.challenge.parameters['service'] ?? '';
  if (service !== '') url.searchParams.set('service', service);
  for (const each of asked.scope.split(' ')) if (each !== '') url.searchParams.append('scope', each);
  if (asked.offline) {
    url.searchParams.set('offline_token', 'true');
    url.searchParams.set('client_id', clientId);
  }
  if (username !== '') url.searchParams.set('account', username);
  const headers: Record<string, string> =
    username === '' ? {} : { authorization: basicAuthorization(username, password) };
  return transport.send({ method: 'GET', url: url.href, headers, trust: asked.trust, signal });
}

function post(transport: Transport, realm: URL, asked: TokenRequest, signal: AbortSignal): Promise<HttpResponse> {
  const { identitytoken = '', username = '', password = '' } = asked.credentials;
  const form = new URLSearchParams({ client_id: clientId, service: asked.challenge.parameters['service'] ?? '' });
  if (asked.scope !== '') form.set('scope', asked.scope);
  if (asked.offline) form.set('access_type', 'offline');
  if (identitytoken === '') {
    form.set('grant_type', 'password');
    form.set('username', username);
    form.set('password', password);
  } else {
    form.set('grant_type', 'refresh_token');
    form.set('refresh_token', identitytoken);
  }
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return transport.send({
    method: 'POST',
    url: realm.href,
    headers,
    body: () => form.toString(),
    trust: asked.trust,
    signal,
  });
}

function parseToken(bytes: Buffer, nowMs: number): Token {
  const body = parseObject(bytes, "the token service's answer");
  const value = [body['token'], body['access_token']].find((each) => typeof each === 'string' && each !== '');
  if (typeof value !== 'string') {
    throw new Fault('internal', 'authorization server did not include a token in the response');
  }
  if (value.length > tokenLimit || /[^\x21-\x7e]/.test(value)) {
    throw new Fault('internal', 'Cannot authenticate: the token service gave a token that no header can hold');
  }
  const { expires_in: seconds, refresh_token: refresh } = body;
  const lifetime = typeof seconds === 'number' && seconds > 0 ? Math.min(seconds, longestSeconds) : defaultSeconds;
  return {
    value,
    refresh: typeof refresh === 'string' && refresh !== '' ? refresh : undefined,
    expiresAt: nowMs + Math.max(lifetime - marginSeconds, 1) * 1000,
  };
}
