/** Random identity, made in one place so that tests can replace it. */

/** 64 lower-case hex characters, never all digits in the first twelve (a short id must not look like a number; moby#3869). */
export function randomId(): string {
  for (;;) {
    // Of the global object: node:crypto, which is loaded whole, would cost every start of the command line.
    const id = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex');
    if (!/^\d{12}/.test(id)) return id;
  }
}

/** The form in which people see an id: its first twelve characters. */
export function shortId(id: string): string {
  const colon = id.indexOf(':');
  return id.slice(colon + 1, colon + 13);
}
