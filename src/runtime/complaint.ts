/** What a runtime had to say about its own failure. */
import { existsSync, readFileSync } from 'node:fs';
import { runtimeWords } from '../monitor/index.ts';

/** The last error in the runtime's log, which has one JSON object a line. */
export function lastComplaint(log: string): string | undefined {
  if (!existsSync(log)) return undefined;
  const errors = readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => /"level": ?"(error|fatal)"/.test(line));
  return errors.length === 0 ? undefined : runtimeWords(errors.join('\n'));
}
