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
