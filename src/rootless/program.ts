/** Programs of the distribution that do what only they can. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Fault, runProgram } from '../std/index.ts';

const usualFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export function findProgram(name: string, path = process.env['PATH'] ?? ''): string | undefined {
  return [...path.split(delimiter), ...usualFolders]
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** @throws Fault unavailable naming the package */
export function needProgram(name: string, packageName: string): string {
  const found = findProgram(name);
  if (found !== undefined) return found;
  throw new Fault(
    'unavailable',
    `Cannot run without root: ${name} is not installed. Try: sudo apt-get install ${packageName}`,
  );
}

/** @returns what it wrote. @throws Fault unavailable with what it complained of */
export async function must(program: string, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await runProgram(program, args, input === undefined ? {} : { input });
  if (code === 0) return stdout;
  // pasta says that it cannot reach syslog before it says what is wrong.
  const said = stderr
    .trim()
    .split('\n')
    .filter((line) => !line.includes('to syslog'))
    .slice(-3)
    .join('; ');
  throw new Fault('unavailable', `${program} failed with exit code ${code}: ${said}`);
}

/** Since then it has --host-lo-to-ns-lo. One of 2023 (Debian 12 has it) sends what a server says first more than once when nobody answers for a while. */
const firstPasta = 2024_10_30;

/** The day of a version of pasta(1), as a number: 20250503. Undefined where it does not say. Pure. */
export function pastaDate(version: string): number | undefined {
  const found = /(20\d\d)_?(\d\d)_?(\d\d)/.exec(version);
  return found === null ? undefined : Number(`${found[1]}${found[2]}${found[3]}`);
}

/** Where a program is, or why there is none to use. */
export type Found = { path: string } | { why: string };

/** One that can be trusted with data. */
export async function findPasta(): Promise<Found> {
  const path = findProgram('pasta');
  if (path === undefined) return { why: 'pasta is not installed: sudo apt-get install passt' };
  const { stdout } = await runProgram(path, ['--version']);
  const date = pastaDate(stdout.split('\n')[0] ?? '');
  if (date !== undefined && date >= firstPasta) return { path };
  return { why: `pasta (${path}) is older than October 2024 and may deliver data twice: install a newer passt` };
}
