/** `-e`, `--env-file`, `-l`, `--label-file`: files first, then the flags, names alone take the caller's value. */
import { readFileSync } from 'node:fs';
import { errorCode, Fault, messageOf } from '../../std/index.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** `NAME=value` lines. A name alone is taken from `env`; when it is not there, a file's is left out, a flag's takes the image's away. */
export function environmentOf(files: readonly string[], values: readonly string[], env: Environment): string[] {
  const fromFiles = files.flatMap((file) => readLines(file).flatMap((line) => lookup(line, env)));
  return [...fromFiles, ...values.map((value) => lookup(value, env)[0] ?? value)];
}

export function labelsOf(files: readonly string[], values: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const line of [...files.flatMap(readLines), ...values]) {
    const equals = line.indexOf('=');
    labels[equals < 0 ? line : line.slice(0, equals)] = equals < 0 ? '' : line.slice(equals + 1);
  }
  return labels;
}

function lookup(line: string, env: Environment): string[] {
  if (line.includes('=')) return [line];
  const value = env[line];
  return value === undefined ? [] : [`${line}=${value}`];
}

/** Lines that are neither empty nor comments. @throws Fault invalid naming file and line. */
function readLines(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const why = errorCode(error) === 'ENOENT' ? 'no such file or directory' : messageOf(error);
    throw new Fault('invalid', `open ${path}: ${why}`, { cause: error });
  }
  const lines: string[] = [];
  text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .forEach((raw, index) => {
      const line = raw.trimStart();
      if (line === '' || line.startsWith('#')) return;
      const name = line.split('=', 1)[0]!;
      if (name === '') throw new Fault('invalid', `invalid env file (${path}): no variable name on line '${line}'`);
      if (/[ \t]/.test(line.includes('=') ? name : name.trimEnd())) {
        throw new Fault(
          'invalid',
          `invalid env file (${path}): variable '${name}' contains whitespaces (line ${index + 1})`,
        );
      }
      lines.push(line.includes('=') ? line : line.trimEnd());
    });
  return lines;
}
