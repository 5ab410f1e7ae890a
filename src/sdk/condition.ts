/** What a container is waited for. Of several, all must hold. */
import type { Container } from './container.ts';
import type { CommandLine } from './run-options.ts';

export interface Condition {
  /** Its health check succeeds. */
  healthy?: true;
  /** Something listens on a published port. */
  port?: number;
  /** A line of its log matches. */
  log?: RegExp | string | { line: RegExp | string; times: number };
  /** A request is answered: a path of the published port, or of the only one. Any status below 400, or the one that is given. */
  http?: string | { path: string; port?: number; status?: number };
  /** A command in it ends with 0. */
  exec?: CommandLine;
  /** Anything else. Asked again until it says true; what it throws counts as false, and is told when time is over. */
  check?: (container: Container, signal: AbortSignal) => boolean | Promise<boolean>;
  /** 60 s if not given. */
  timeoutMs?: number;
  /** Between two looks. 100 ms if not given. */
  intervalMs?: number;
  signal?: AbortSignal;
}
