/** What a person reads when something failed: whose refusal it is, in whose words, and what to type next. */
import { ApiFault } from '../client/index.ts';
import { Fault, messageOf } from '../std/index.ts';
import { AdvisedFault } from './advised-fault.ts';

/** @param debug adds the stack. */
export function explain(error: unknown, debug = false): string {
  if (error instanceof AdvisedFault) return `${explain(error.failure, debug)}\n${error.advice}`;
  const text = error instanceof ApiFault ? `Error response from daemon: ${error.message}` : messageOf(error);
  const advice = adviceFor(error);
  const stack = debug && error instanceof Error ? `\n${error.stack ?? ''}` : '';
  const fromBug = error instanceof Fault || debug || !(error instanceof TypeError) ? '' : `\n${error.stack ?? ''}`;
  return `${text}${advice === undefined ? '' : `\n${advice}`}${stack}${fromBug}`;
}

function adviceFor(error: unknown): string | undefined {
  if (!(error instanceof Fault)) return undefined;
  const { message } = error;
  if (!(error instanceof ApiFault)) {
    if (error.kind === 'unavailable' && message.includes('/run/wherry/wherry.sock')) {
      return "Start it with 'sudo wherry system start', or name another daemon with -H or DOCKER_HOST.";
    }
    if (error.kind === 'forbidden' && message.includes('connect: permission denied')) {
      return "Run the command with sudo, or add yourself to the socket's group.";
    }
    return undefined;
  }
  if (/^could not select device driver .*gpu/.test(message))
    return "This daemon knows of no GPU: 'wherry system doctor' says what to install, 'wherry info' which devices there are.";
  return error.advice;
}
