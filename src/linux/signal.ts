/** Signal names and numbers as Docker reads them. */
import { constants } from 'node:os';

const numbers = new Map<string, number>(
  Object.entries(constants.signals).map(([name, number]) => [name.slice(3), number]),
);
for (let offset = 0; offset <= 15; offset++) numbers.set(offset === 0 ? 'RTMIN' : `RTMIN+${offset}`, 34 + offset);
for (let offset = 0; offset <= 14; offset++) numbers.set(offset === 0 ? 'RTMAX' : `RTMAX-${offset}`, 64 - offset);

/** "SIGTERM", "term" or "15" to 15. @returns undefined when it is no signal */
export function signalNumber(text: string): number | undefined {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= 64 ? number : undefined;
  }
  return numbers.get(text.toUpperCase().replace(/^SIG/, ''));
}
