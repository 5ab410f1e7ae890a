/** WWW-Authenticate (RFC 9110 §11.6.1), as registries send it. */

export interface Challenge {
  /** Lower case: "bearer", "basic". */
  scheme: string;
  parameters: Record<string, string>;
}

export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  const pattern = /([A-Za-z][\w-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([A-Za-z][\w-]*)(?=\s|,|$)/g;
  for (const [, key, quoted, plain, scheme] of header.matchAll(pattern)) {
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: {} });
    else if (key !== undefined && challenges.length > 0) {
      challenges.at(-1)!.parameters[key.toLowerCase()] =
        quoted === undefined ? (plain ?? '') : quoted.replace(/\\(.)/g, '$1');
    }
  }
  return challenges;
}
