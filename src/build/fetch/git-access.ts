/** What proves to a remote who asks: secrets of the client for http, its agent for ssh. Nothing of it is kept. */
import { Fault, faultKind } from '../../std/index.ts';
import type { Fetching } from './door.ts';
import type { GitRemote } from './git-remote.ts';
import { tokenScope } from './git-remote.ts';
import { headerValue } from './redact.ts';

export interface GitAccess extends AsyncDisposable {
  settings: readonly (readonly [key: string, value: string])[];
  agent: string | undefined;
}

const agentId = 'default';

/** @throws Fault not-found when an ssh remote is to be asked and the client lends no agent */
export async function gitAccess(remote: GitRemote, { secrets }: Fetching, signal: AbortSignal): Promise<GitAccess> {
  await using loans = new AsyncDisposableStack();
  let agent: string | undefined;
  if (remote.protocol === 'ssh') {
    try {
      agent = loans.use(await secrets.agent(agentId, signal)).socket;
    } catch (error) {
      if (faultKind(error) !== 'not-found') throw error;
      throw noAgent(agentId, error);
    }
  }
  const isHttp = remote.protocol === 'http' || remote.protocol === 'https';
  const authorization = isHttp ? ((await fromSecrets(remote, secrets, signal)) ?? remote.authorization) : undefined;
  const settings =
    authorization === undefined
      ? []
      : [[`http.${tokenScope(remote.url)}.extraHeader`, `Authorization: ${authorization}`] as const];
  const kept = loans.move();
  return { settings, agent, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** In BuildKit's words, and what to type. */
export function noAgent(id: string, cause: unknown): Fault {
  const how = `give one with --ssh ${id}`;
  return new Fault('not-found', `no SSH key ${JSON.stringify(id)} forwarded from the client: ${how}`, { cause });
}

/** One for the host before one for all, a whole header before a token. */
async function fromSecrets(
  { host }: GitRemote,
  secrets: Fetching['secrets'],
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const ending of host === undefined ? [''] : [`.${host}`, '']) {
    for (const name of ['GIT_AUTH_HEADER', 'GIT_AUTH_TOKEN']) {
      const secret = await secrets.secret(name + ending, signal);
      const value = secret === undefined ? undefined : headerValue(secret);
      if (value === undefined) continue;
      if (name === 'GIT_AUTH_HEADER') return value;
      return `basic ${Buffer.from(`x-access-token:${value}`).toString('base64')}`;
    }
  }
  return undefined;
}
