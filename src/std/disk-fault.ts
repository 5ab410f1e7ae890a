/** Disks that are full or read-only: known through any wrapping, told in the kernel's words with what to type. */
import { errorCode, Fault } from './fault.ts';

const words: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on device',
  EDQUOT: 'disk quota exceeded',
  EROFS: 'read-only file system',
};

const advice = {
  full: 'see what takes it: wherry system df; free what nothing uses: wherry system prune',
  readOnly: 'the kernel makes a file system read-only after a fault: see dmesg, repair it, mount it writable again',
};

/** Whether the error, or what caused it, is a file system without room: blocks, inodes or quota. */
export function isDiskFull(error: unknown): boolean {
  const code = diskCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/**
 * The error as the person who must act should read it: `write /path: no space left on device (…)`. Anything that is not about
 * the disk comes back as it is, and so does what was explained before.
 */
export function explainDiskError(error: unknown): unknown {
  const code = diskCode(error);
  if (code === undefined || (error instanceof Fault && error.message.includes(words[code]!))) return error;
  return new Fault('internal', `${subject(error)}${words[code]!} (${adviceFor(code)})`, { cause: error });
}

/** A full disk that was seen before the kernel had to refuse. `what` is Docker's "write /path". */
export function diskFull(what: string, detail: string): Fault {
  const cause = Object.assign(new Error(words['ENOSPC']), { code: 'ENOSPC' });
  return new Fault('internal', `${what}: ${words['ENOSPC']!}: ${detail} (${advice.full})`, { cause });
}

function diskCode(error: unknown): string | undefined {
  for (let each = error, depth = 0; each !== undefined && each !== null && depth < 8; depth++) {
    const code = errorCode(each);
    if (code !== undefined && code in words) return code;
    each = each instanceof Error ? each.cause : undefined;
  }
  return undefined;
}

function adviceFor(code: string): string {
  return code === 'EROFS' ? advice.readOnly : advice.full;
}

/** "write /path: ", as Go's PathError has it; of a fault its own words. */
function subject(error: unknown): string {
  if (error instanceof Fault) return `${error.message}: `;
  const { syscall, path } = error as { syscall?: unknown; path?: unknown };
  const text = [syscall, path].filter((part) => typeof part === 'string').join(' ');
  return text === '' ? '' : `${text}: `;
}
