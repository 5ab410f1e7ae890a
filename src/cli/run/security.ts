/** `--security-opt`: reads seccomp profiles, takes `systempaths=unconfined` out. */
import { readFileSync } from 'node:fs';
import { Fault, messageOf } from '../../std/index.ts';

export interface Security {
  options: string[] | null;
  maskedPaths: string[] | null;
  readonlyPaths: string[] | null;
}

export function securityOf(given: readonly string[]): Security {
  let unconfined = false;
  const options: string[] = [];
  for (const option of given) {
    const separator = option.includes('=') ? '=' : ':';
    const at = option.indexOf(separator);
    const key = at < 0 ? option : option.slice(0, at);
    const value = at < 0 ? '' : option.slice(at + 1);
    if (at < 0 && option !== 'no-new-privileges') throw new Fault('invalid', `Invalid --security-opt: "${option}"`);
    if (key === 'systempaths' && value === 'unconfined') unconfined = true;
    else if (key === 'seccomp' && value !== 'unconfined' && value !== 'builtin')
      options.push(`seccomp=${readProfile(value)}`);
    else options.push(option);
  }
  return {
    options: given.length === 0 ? null : options,
    maskedPaths: unconfined ? [] : null,
    readonlyPaths: unconfined ? [] : null,
  };
}

function readProfile(path: string): string {
  try {
    return JSON.stringify(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new Fault('invalid', `opening seccomp profile (${path}) failed: ${messageOf(error)}`, { cause: error });
  }
}
