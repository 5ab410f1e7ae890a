/** What differs between the configurations of two images, one line a setting: variables, labels, ports and volumes each by name. */
import type { ImageDifference } from '../api/index.ts';
import type { ImageConfig } from '../oci/index.ts';

type ConfigDifference = Extract<ImageDifference, { Kind: 'config' }>;

/** Sorted by key; a setting that says nothing (empty, null) counts as not set. */
export function configDifferences(from: ImageConfig, to: ImageConfig): ConfigDifference[] {
  const [before, after] = [settingsOf(from), settingsOf(to)];
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((key) => before.get(key) !== after.get(key))
    .sort()
    .map((Key) => ({ Kind: 'config', Key, From: before.get(Key) ?? null, To: after.get(Key) ?? null }));
}

/** Settings whose parts are told apart. */
const maps = new Set(['Labels', 'ExposedPorts', 'Volumes']);
/** Of the machine or the container it was made on, not of the image. */
const ignored = new Set(['Hostname', 'Domainname', 'Image', 'AttachStdin', 'AttachStdout', 'AttachStderr', 'Tty']);

function settingsOf(image: ImageConfig): Map<string, string> {
  const settings = new Map<string, string>();
  const set = (key: string, value: unknown): void => {
    const text = textOf(value);
    if (text !== '') settings.set(key, text);
  };
  set('Platform', [image.os, image.architecture, image.variant].filter(Boolean).join('/'));
  for (const [key, value] of Object.entries(image.config ?? {})) {
    if (ignored.has(key) || value === null) continue;
    if (key === 'Env' && Array.isArray(value)) {
      for (const each of value.map(String)) {
        const equals = each.indexOf('=');
        const name = equals < 0 ? each : each.slice(0, equals);
        settings.set(`Env.${name}`, equals < 0 ? '' : each.slice(equals + 1));
      }
    } else if (maps.has(key) && typeof value === 'object') {
      for (const [name, each] of Object.entries(value))
        settings.set(`${key}.${name}`, typeof each === 'string' ? each : '');
    } else set(key, value);
  }
  return settings;
}

/** Lists and objects as JSON; nothing for what says nothing. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null || value === false) return '';
  if (Array.isArray(value) && value.length === 0) return '';
  return JSON.stringify(value);
}
