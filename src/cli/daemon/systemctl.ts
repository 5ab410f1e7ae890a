/** systemd, where it runs. */
import { existsSync } from 'node:fs';
import { Fault, runProgram } from '../../std/index.ts';
import { own } from './paths.ts';

export function hasSystemd(): boolean {
  return existsSync('/run/systemd/system');
}

/** @throws Fault internal with what systemctl said. */
export async function systemctl(...words: string[]): Promise<string> {
  const result = await runProgram('systemctl', [...(own === undefined ? [] : ['--user']), ...words], {});
  if (result.code !== 0) {
    throw new Fault('internal', `systemctl ${words.join(' ')} failed: ${`${result.stderr}${result.stdout}`.trim()}`);
  }
  return result.stdout;
}
