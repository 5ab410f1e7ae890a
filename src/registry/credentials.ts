/** What proves to a registry who a person is, in the forms that clients send it. */

/** What clients send as X-Registry-Auth. */
export interface Credentials {
  username?: string | undefined;
  password?: string | undefined;
  /** A refresh token that the registry's token service gave at login. */
  identitytoken?: string | undefined;
  /** A bearer token for the registry itself. */
  registrytoken?: string | undefined;
  serveraddress?: string | undefined;
  /** base64 of `user:password`, as in the CLI's config file. */
  auth?: string | undefined;
}

/** With `auth` taken apart. */
export function plainCredentials(credentials: Credentials | undefined): Credentials {
  if (credentials?.auth === undefined || credentials.auth === '' || (credentials.username ?? '') !== '')
    return credentials ?? {};
  const text = Buffer.from(credentials.auth, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? credentials : { ...credentials, username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The Authorization header of the basic scheme (RFC 7617). */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
