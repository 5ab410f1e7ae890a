/** Passes the signals that the command line gets on to a container. */
import { constants } from 'node:os';
import type { Session } from '../session.ts';

/** Not passed on: those that say something about this process itself, or that the runtime uses. */
const own = new Set([
  'SIGKILL',
  'SIGSTOP',
  'SIGCHLD',
  'SIGPIPE',
  'SIGURG',
  'SIGWINCH',
  'SIGPROF',
  'SIGSEGV',
  'SIGBUS',
  'SIGFPE',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGIOT',
  'SIGSYS',
  'SIGVTALRM',
  'SIGTTIN',
  'SIGTTOU',
  'SIGTSTP',
]);

/** @returns what stops it. */
export function proxySignals(session: Session, kill: (signal: string) => Promise<void>): () => void {
  const handlers = Object.keys(constants.signals)
    .filter((name) => !own.has(name) && !/^SIG(RT|UNUSED|STKFLT|POLL|IO$|CLD)/.test(name))
    .map((name) => {
      const handler = (): void => {
        kill(name.slice(3)).catch((error: unknown) => {
          if (session.options.debug) session.err.write(`Error sending signal: ${String(error)}\n`);
        });
      };
      return [name as NodeJS.Signals, handler] as const;
    });
  for (const [name, handler] of handlers) process.on(name, handler);
  return () => {
    for (const [name, handler] of handlers) process.off(name, handler);
  };
}
