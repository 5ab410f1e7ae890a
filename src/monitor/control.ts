/** conmon's control fifo: window size and log reopening. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, Fault } from '../std/index.ts';

async function send(bundle: string, line: string): Promise<void> {
  try {
    const fifo = await open(join(bundle, 'ctl'), constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      await fifo.write(line);
    } finally {
      await fifo.close();
    }
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENXIO' || code === 'EPIPE')
      throw new Fault('conflict', 'the process has no monitor', { cause: error });
    throw error;
  }
}

/** Sets the terminal's size in characters. @throws Fault conflict when the monitor is gone */
export function resizeTerminal(bundle: string, size: { height: number; width: number }): Promise<void> {
  return send(bundle, `1 ${size.height} ${size.width}\n`);
}

/** Makes conmon open its log path anew, after the file was renamed away. @throws Fault conflict when the monitor is gone */
export function reopenLog(bundle: string): Promise<void> {
  return send(bundle, '2 0 0\n');
}
