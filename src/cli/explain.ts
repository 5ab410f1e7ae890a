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
  if (error.status === 404 && message === 'page not found') {
    return "The daemon does not know this call: it is older than this command line, or not Wherry's.";
  }
  const image = /^No such image: (\S+)$/.exec(message)?.[1];
  if (image !== undefined) return `See what is here with 'wherry images', or get it with 'wherry pull ${image}'.`;
  if (message.startsWith('No such container: ')) return "See what is here with 'wherry ps -a'.";
  if (/^network \S+ not found$/.test(message)) {
    return `See what is here with 'wherry network ls', or make it with 'wherry network create ${message.split(' ')[1]}'.`;
  }
  if (/^get \S+: no such volume$/.test(message)) return "See what is here with 'wherry volume ls'.";
  const taken = /^Conflict\. The container name "\/?([^"]+)" is already in use/.exec(message)?.[1];
  if (taken !== undefined) return `Remove it with 'wherry rm -f ${taken}', or choose another --name.`;
  if (/port is already allocated/.test(message)) return "See who has it with 'wherry ps', or publish another port.";
  return undefined;
}
