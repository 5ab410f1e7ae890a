/** Names that clients give to files: shown to people, and never used as a path of ours. Pure. */

const longest = 200;

/** What is left of a name: no folders, no control characters, no tricks with direction; undefined where nothing is. */
export function displayName(given: string | undefined): string | undefined {
  const last = (given ?? '').split(/[/\\]/).at(-1)!;
  const clean = last
    // oxlint-disable-next-line no-control-regex
    .replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  if (clean === '' || /^\.+$/.test(clean)) return undefined;
  return cut(clean, longest);
}

/** A relative path of an import, each part a display name; undefined where it would leave its folder, or is only a name. */
export function relativePath(given: string | undefined): string | undefined {
  if (given === undefined || given === '') return undefined;
  const parts = given
    .replaceAll('\\', '/')
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) return undefined;
  const clean = parts.map(displayName);
  if (clean.length < 2 || clean.some((part) => part === undefined)) return undefined;
  return clean.join('/').slice(-1000);
}

/** A name for a file of ours on anybody's disk: without what Windows and zip programs refuse. */
export function exportName(name: string): string {
  const clean = (displayName(name) ?? 'untitled').replace(/[<>:"|?*]/g, '_').replace(/[. ]+$/, '');
  return clean === '' ? 'untitled' : clean;
}

/** Keeps the extension. Cuts between code points. */
function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const extension = /\.[\p{L}\p{N}]{1,10}$/u.exec(text)?.[0] ?? '';
  return text.slice(0, length - extension.length).replace(/[\ud800-\udbff]$/, '') + extension;
}
