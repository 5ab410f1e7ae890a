/** Our own version, from package.json beside the code that runs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export function packageFolder(): string {
  // The bundle lies in dist/, the source in src/cli/.
  const here = import.meta.dirname;
  return here.endsWith('/dist') ? join(here, '..') : join(here, '../..');
}

export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8')) as { version: string }).version;
}

export function versionLine(): string {
  return `Wherry version ${packageVersion()}`;
}
