/** Carries bytes between the user's terminal and a process: input up, output down, detach keys, window size. */
import type { Hijacked } from '../../client/index.ts';
import { rawFrames, readFrames } from '../../client/index.ts';
import { messageOf } from '../../std/index.ts';
import type { Session } from '../session.ts';
import { DetachWatch, parseDetachKeys } from './detach-keys.ts';

export interface StdioOptions {
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  detachKeys: string | undefined;
  /** Tells the daemon the terminal's size; called at once and whenever it changes. */
  resize?: ((height: number, width: number) => Promise<void>) | undefined;
}

/** @returns how it ended: the process closed its output, or the user typed the detach keys. */
export async function carryStdio(
  session: Session,
  stream: Hijacked,
  options: StdioOptions,
): Promise<'ended' | 'detached'> {
  const restore = options.stdin && options.tty && session.in.isTerminal ? session.in.raw() : () => {};
  const stopResizing = options.tty && session.out.isTerminal ? watchSize(session, options.resize) : () => {};
  try {
    const detached = options.stdin ? sendInput(session, stream, options) : ended(stream);
    const output = receiveOutput(session, stream, options).then(() => 'ended' as const);
    return await Promise.race([output, detached]);
  } finally {
    stopResizing();
    restore();
    if (options.stdin) session.in.stop();
    stream.destroy();
  }
}

function ended(stream: Hijacked): Promise<never> {
  stream.endInput();
  return new Promise(() => {});
}

/** Resolves when the user detaches, else never: the end of output decides. */
async function sendInput(session: Session, stream: Hijacked, options: StdioOptions): Promise<'detached'> {
  const watch = options.tty && session.in.isTerminal ? new DetachWatch(parseDetachKeys(options.detachKeys)) : undefined;
  try {
    for await (const chunk of session.in.read()) {
      const seen = watch?.look(chunk) ?? { forward: chunk, detached: false };
      if (seen.forward.length > 0) await stream.write(seen.forward);
      if (seen.detached) return 'detached';
    }
    stream.endInput();
  } catch {
    // The process is gone: what it still said is on its way down.
  }
  return new Promise(() => {});
}

async function receiveOutput(session: Session, stream: Hijacked, { tty, stdout, stderr }: StdioOptions): Promise<void> {
  for await (const frame of (tty ? rawFrames : readFrames)(stream.output)) {
    if (frame.stream === 'stderr') {
      if (stderr) session.err.write(frame.data);
    } else if (stdout) session.out.write(frame.data);
  }
}

/** The process may not be there yet when the first size is told: it is told again a few times. */
function watchSize(session: Session, resize: StdioOptions['resize']): () => void {
  if (resize === undefined) return () => {};
  const stop = new AbortController();
  const tell = async (tries: number): Promise<void> => {
    for (let left = tries; left > 0 && !stop.signal.aborted; left--) {
      try {
        await resize(session.out.rows, session.out.columns);
        return;
      } catch (error) {
        if (left === 1 && session.options.debug) session.err.write(`resize: ${messageOf(error)}\n`);
        await new Promise((done) => setTimeout(done, 10 * (tries - left + 1)));
      }
    }
  };
  const onChange = (): void => void tell(1);
  void tell(10);
  process.on('SIGWINCH', onChange);
  return () => {
    stop.abort();
    process.off('SIGWINCH', onChange);
  };
}
