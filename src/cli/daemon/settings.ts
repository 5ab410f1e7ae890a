/** What daemon.json says of where things are, for commands that must work without the daemon. */
import { readFileSync } from 'node:fs';
import { dataFolder, settingsPath } from './paths.ts';

/** A file that is not there, or not to be read, says nothing: the daemon itself complains about it. */
export function daemonSettings(
  read: (path: string) => string | undefined = readIfThere,
): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(read(settingsPath) ?? '{}');
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

export function dataRootOf(settings: Readonly<Record<string, unknown>>): string {
  const path = settings['data-root'];
  return typeof path === 'string' && path !== '' ? path : dataFolder;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
