/** Where a command writes: whole texts, at once and in order. A reader that went away ends the program as a signal would. */
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { errorCode } from '../../std/index.ts';

export interface Output {
  write(text: string | Uint8Array): void;
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly rows: number;
}

/** Standard output or error, unbuffered. */
export function descriptorOutput(descriptor: 1 | 2): Output {
  const terminal = (): { columns?: number; rows?: number } => (descriptor === 1 ? process.stdout : process.stderr);
  return {
    write(text) {
      let bytes = typeof text === 'string' ? Buffer.from(text) : text;
      while (bytes.length > 0) {
        try {
          bytes = bytes.subarray(writeSync(descriptor, bytes));
        } catch (error) {
          if (errorCode(error) === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
          else if (errorCode(error) === 'EPIPE') process.exit(141);
          else throw error;
        }
      }
    },
    get isTerminal() {
      return isatty(descriptor);
    },
    get columns() {
      return this.isTerminal ? (terminal().columns ?? 80) : 80;
    },
    get rows() {
      return this.isTerminal ? (terminal().rows ?? 24) : 24;
    },
  };
}
