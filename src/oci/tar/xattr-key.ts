/**
 * Names of extended attributes as keys of PAX records. A key ends at "=", so GNU tar writes %3D for one in a name, and %25 for the
 * percent sign. Go's writer, which makes most layers, knows no escapes: they are read always, and written only where a name would
 * be misread without them.
 */

const prefix = 'SCHILY.xattr.';

/** The attribute's name; undefined for a key of another kind. */
export function xattrName(key: string): string | undefined {
  if (!key.startsWith(prefix)) return undefined;
  const name = key.slice(prefix.length);
  return name.includes('%') ? name.replaceAll(/%(3D|25)/g, (_, code) => (code === '25' ? '%' : '=')) : name;
}

export function xattrKey(name: string): string {
  const escaped = /=|%3D|%25/.test(name) ? name.replaceAll('%', '%25').replaceAll('=', '%3D') : name;
  return `${prefix}${escaped}`;
}
