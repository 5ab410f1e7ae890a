/** Who may do what at a registry double: basic authentication, or a token service in its GET and its OAuth2 form. */
import { randomUUID } from 'node:crypto';
import { type Answer, type Asked, json, plain, refusal } from './registry-store.ts';

export type AccessOptions =
  | { kind: 'basic'; users: Record<string, string> }
  | {
      kind: 'token';
      /** They may pull and push; everybody else may pull what is not `private`. */
      users: Record<string, string>;
      /** Repositories of which nobody else may pull. */
      private?: RegExp;
      /** What `expires_in` says (300). */
      seconds?: number;
      /** The forms the service understands (both). */
      forms?: readonly ('GET' | 'POST')[];
    };

interface Grant {
  user: string | undefined;
  /** `repository:path:pull,push` of each. */
  scopes: string[];
}

export class RegistryAccess {
  readonly #options: AccessOptions;
  readonly #tokens = new Map<string, Grant>();
  /** User by refresh token. */
  readonly #refresh = new Map<string, string>();
  /** Tokens given so far. */
  issued = 0;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** All tokens given so far are refused from now on. */
  expireTokens(): void {
    this.#tokens.clear();
  }

  /** The token service's answer; undefined for any other request. */
  token({ method, url, headers, body }: Asked): Answer | undefined {
    if (url.pathname !== '/token' || this.#options.kind !== 'token') return undefined;
    const { forms = ['GET', 'POST'], seconds = 300 } = this.#options;
    if (!forms.includes(method as 'GET')) return plain(405, {});
    const form = method === 'POST' ? new URLSearchParams(body.toString()) : url.searchParams;
    const scopes = form.getAll('scope').flatMap((each) => each.split(' '));
    let user: string | undefined;
    if (method === 'GET') {
      const given = headers['authorization'];
      user = given === undefined ? undefined : this.#basicUser(given);
      if (given !== undefined && user === undefined) return json(401, { details: 'incorrect username or password' });
    } else if (form.get('grant_type') === 'refresh_token') user = this.#refresh.get(form.get('refresh_token') ?? '');
    else user = this.#known(form.get('username') ?? '', form.get('password') ?? '');
    if (method === 'POST' && user === undefined) return refusal(401, 'UNAUTHORIZED', 'authentication required');
    const token = randomUUID();
    this.#tokens.set(token, { user, scopes });
    this.issued++;
    const offline = form.get('offline_token') === 'true' || form.get('access_type') === 'offline';
    const name = method === 'POST' ? 'access_token' : 'token';
    if (!offline || user === undefined) return json(200, { [name]: token, expires_in: seconds });
    const refresh = randomUUID();
    this.#refresh.set(refresh, user);
    return json(200, { [name]: token, expires_in: seconds, refresh_token: refresh });
  }

  /** What is answered instead, when this request is not allowed. @param origin where the token service is */
  refuse({ method, url, headers }: Asked, origin: string): Answer | undefined {
    const given = headers['authorization'];
    if (this.#options.kind === 'basic') {
      if (given !== undefined && this.#basicUser(given) !== undefined) return undefined;
      return challenge('Basic realm="double"');
    }
    const grant = given?.startsWith('Bearer ') === true ? this.#tokens.get(given.slice(7)) : undefined;
    const path = /^\/v2\/(.+)\/(?:manifests|blobs|tags)\//.exec(url.pathname)?.[1];
    const action = method === 'GET' || method === 'HEAD' ? 'pull' : 'push';
    const scope = path === undefined ? '' : `,scope="repository:${path}:${action}"`;
    const realm = `Bearer realm="${origin}/token",service="double"${scope}`;
    if (grant === undefined) return challenge(given === undefined ? realm : `${realm},error="invalid_token"`);
    if (path === undefined) return undefined;
    const asked = grant.scopes.some((each) => each.startsWith(`repository:${path}:`) && each.includes(action));
    const open = action === 'pull' && this.#options.private?.test(path) !== true;
    const from = url.searchParams.get('from');
    const mayRead = from === null || this.#options.private?.test(from) !== true;
    if (asked && (open || grant.user !== undefined) && mayRead) return undefined;
    return challenge(`${realm},error="insufficient_scope"`);
  }

  #basicUser(header: string): string | undefined {
    const [user = '', password = ''] = Buffer.from(header.replace(/^Basic /, ''), 'base64')
      .toString()
      .split(/:(.*)/s);
    return this.#known(user, password);
  }

  #known(user: string, password: string): string | undefined {
    return this.#options.users[user] === password ? user : undefined;
  }
}

function challenge(text: string): Answer {
  const answer = refusal(401, 'UNAUTHORIZED', 'authentication required');
  return { ...answer, headers: { ...answer.headers, 'www-authenticate': text } };
}
