/** Credentials in addresses: what may be shown of one, and what proves who asks. Pure. */

/** As BuildKit shows it. */
export function redacted(address: string): string {
  const url = URL.parse(address);
  if (url === null || (url.username === '' && url.password === '')) return address;
  // Written anew, the rest would not stay as it was.
  const user = url.password === '' ? 'xxxxx' : 'xxxxx:xxxxx';
  return address.replace(/^([a-z][a-z\d+.-]*:\/\/)[^/?#]*@/i, `$1${user}@`);
}

export interface PlainAddress {
  /** Without credentials. */
  url: string;
  /** Of the basic scheme (RFC 7617). */
  authorization: string | undefined;
}

/** An http(s) address apart from its credentials. Others stay as they are: a name in them is part of where they lead. */
export function withoutCredentials(address: string): PlainAddress {
  const url = URL.parse(address);
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url === null || !isHttp || (url.username === '' && url.password === ''))
    return { url: address, authorization: undefined };
  const known = `${decoded(url.username)}:${decoded(url.password)}`;
  return {
    url: address.replace(/^(https?:\/\/)[^/?#]*@/i, '$1'),
    authorization: `Basic ${Buffer.from(known).toString('base64')}`,
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The value of a secret as one line of a header; undefined for what is none. */
export function headerValue(secret: Uint8Array): string | undefined {
  const text = Buffer.from(secret).toString().trim();
  return text === '' || /[\x00-\x08\x0a-\x1f\x7f]/.test(text) ? undefined : text;
}
