/** Standard input, touched only when it is read. */
import { isatty, ReadStream } from 'node:tty';
import type { Input } from './session.ts';

export function standardInput(): Input {
  let held = '';
  return {
    get isTerminal() {
      return isatty(0);
    },
    async *read() {
      for await (const chunk of process.stdin) yield chunk as Buffer;
    },
    async line() {
      for (;;) {
        const end = held.indexOf('\n');
        if (end >= 0) {
          const line = held.slice(0, end);
          held = held.slice(end + 1);
          return line.replace(/\r$/, '');
        }
        const chunk = await nextChunk();
        if (chunk === undefined) {
          const last = held === '' ? undefined : held;
          held = '';
          return last;
        }
        held += chunk;
      }
    },
    raw() {
      const { stdin } = process;
      if (!(stdin instanceof ReadStream)) return () => {};
      stdin.setRawMode(true);
      const restore = (): void => {
        stdin.setRawMode(false);
        process.off('exit', restore);
      };
      process.on('exit', restore);
      return restore;
    },
    stop() {
      process.stdin.pause();
      const handle = process.stdin as Partial<{ unref(): void }>;
      handle.unref?.();
    },
  };
}

function nextChunk(): Promise<string | undefined> {
  const { stdin } = process;
  return new Promise((resolve) => {
    const settle = (value: string | undefined): void => {
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      stdin.pause();
      resolve(value);
    };
    const onData = (chunk: Buffer): void => settle(chunk.toString('utf8'));
    const onEnd = (): void => settle(undefined);
    if (stdin.readableEnded) {
      resolve(undefined);
      return;
    }
    stdin.on('data', onData);
    stdin.on('end', onEnd);
    stdin.resume();
  });
}
