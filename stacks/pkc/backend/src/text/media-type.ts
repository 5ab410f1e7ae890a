/** What a file is, by its first bytes and its name; what the client says of it is not asked. Pure. */

const byExtension: Readonly<Record<string, string>> = {
  md: 'text/markdown',
  markdown: 'text/markdown',
  txt: 'text/plain',
  log: 'text/plain',
  csv: 'text/csv',
  json: 'application/json',
  html: 'text/html',
  htm: 'text/html',
  xml: 'application/xml',
  svg: 'image/svg+xml',
  css: 'text/css',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  js: 'text/javascript',
  mjs: 'text/javascript',
  ts: 'text/x-typescript',
  py: 'text/x-python',
  sh: 'text/x-shellscript',
  c: 'text/x-c',
  h: 'text/x-c',
  go: 'text/x-go',
  rs: 'text/x-rust',
  java: 'text/x-java',
  toml: 'application/toml',
  ini: 'text/plain',
  tex: 'text/x-tex',
  org: 'text/plain',
  rst: 'text/plain',
};

const magic: readonly { at: number; bytes: string; type: string }[] = [
  { at: 0, bytes: '%PDF-', type: 'application/pdf' },
  { at: 0, bytes: '\x89PNG\r\n\x1a\n', type: 'image/png' },
  { at: 0, bytes: '\xff\xd8\xff', type: 'image/jpeg' },
  { at: 0, bytes: 'GIF8', type: 'image/gif' },
  { at: 8, bytes: 'WEBP', type: 'image/webp' },
  { at: 4, bytes: 'ftypavif', type: 'image/avif' },
  { at: 4, bytes: 'ftyp', type: 'video/mp4' },
  { at: 0, bytes: '\x1aE\xdf\xa3', type: 'video/webm' },
  { at: 8, bytes: 'WAVE', type: 'audio/wav' },
  { at: 0, bytes: 'ID3', type: 'audio/mpeg' },
  { at: 0, bytes: 'OggS', type: 'audio/ogg' },
  { at: 0, bytes: 'fLaC', type: 'audio/flac' },
  { at: 0, bytes: 'PK\x03\x04', type: 'application/zip' },
  { at: 0, bytes: '\x1f\x8b', type: 'application/gzip' },
];

/** @param head the first few KB @param isWhole whether that is all */
export function mediaType(head: Uint8Array, name: string | undefined, isWhole: boolean): string {
  const latin = Buffer.from(head.subarray(0, 32)).toString('latin1');
  const known = magic.find(({ at, bytes }) => latin.startsWith(bytes, at));
  if (known !== undefined) return known.type;
  const extension = /\.([a-z\d]+)$/i.exec(name ?? '')?.[1]?.toLowerCase() ?? '';
  if (!isText(head, isWhole)) return 'application/octet-stream';
  const byName = Object.hasOwn(byExtension, extension) ? byExtension[extension]! : undefined;
  if (byName !== undefined) return byName;
  const text = Buffer.from(head).toString('utf8').trimStart().slice(0, 200).toLowerCase();
  if (/^(?:<\?xml[^>]*>\s*)?(?:<!--[^]*?-->\s*)?<svg[\s>]/.test(text)) return 'image/svg+xml';
  if (/^<!doctype html|^<html[\s>]/.test(text)) return 'text/html';
  return 'text/plain';
}

/** Whether its words can be searched. */
export function isTextual(type: string): boolean {
  return type.startsWith('text/') || /^(?:application\/(?:json|xml|yaml|toml)|image\/svg\+xml)$/.test(type);
}

function isText(head: Uint8Array, isWhole: boolean): boolean {
  if (head.includes(0)) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: !isWhole });
    return true;
  } catch {
    return false;
  }
}
