/** Exit codes of run: 125 for our and the daemon's refusals, 126 and 127 for commands that cannot be run. */
import { messageOf } from '../../std/index.ts';
import { explain } from '../explain.ts';
import { Exit, UsageFault } from '../usage-fault.ts';

/** The code that Docker derives from the text of a start error. */
export function startErrorCode(message: string): number {
  const text = message.trim();
  if (/executable file not found|no such file or directory|system cannot find the file specified/.test(text))
    return 127;
  if (/permission denied|not a directory|is a directory|is a directory: unknown/.test(text)) return 126;
  return 125;
}

/** Any failure of run, as it ends the program. */
export function runFailure(error: unknown, command: string, code = startErrorCode(messageOf(error))): Error {
  if (error instanceof Exit || error instanceof UsageFault) return error;
  return new Exit(code, `wherry: ${explain(error)}\n\nRun 'wherry ${command} --help' for more information`);
}
