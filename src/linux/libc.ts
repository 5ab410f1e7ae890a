/** libc through koffi, loaded at first use. Calls are synchronous and belong to the main thread (koffi#190). */
import { constants } from 'node:os';
import koffi from 'koffi';
import { Fault } from '../std/index.ts';

export type Native = (...args: unknown[]) => number;

let library: ReturnType<typeof koffi.load> | undefined;
const functions = new Map<string, Native>();

/** A libc function by its C prototype, e.g. `int umount2(const char *target, int flags)`. */
export function libc(prototype: string): Native {
  let found = functions.get(prototype);
  if (found === undefined) {
    library ??= koffi.load('libc.so.6');
    found = library.func(prototype) as unknown as Native;
    functions.set(prototype, found);
  }
  return found;
}

const errnoNames = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** An errno as Node reports it: `code` is the symbolic name. */
export class SystemError extends Error {
  readonly code: string;
  readonly errno: number;

  constructor(call: string, errno: number, detail: string) {
    const code = errnoNames.get(errno) ?? `errno ${errno}`;
    super(`${call} ${detail}: ${code}`);
    this.name = 'SystemError';
    this.code = code;
    this.errno = errno;
  }
}

/** Returns `result` unless it is negative. @throws SystemError with the current errno. */
export function check(call: string, result: number, detail: string): number {
  if (result >= 0) return result;
  throw new SystemError(call, koffi.errno(), detail);
}

/** The number of a syscall on this machine's architecture. @throws Fault not-implemented on others. */
export function syscallNumber(numbers: { x64: number; arm64: number }): number {
  if (process.arch === 'x64' || process.arch === 'arm64') return numbers[process.arch];
  throw new Fault('not-implemented', `Cannot run on ${process.arch}: only x64 and arm64 are supported`);
}
