/** The daemon's talk with systemd: what it tells (sd_notify(3)), and what it asks before it goes. */
import { connectDatagram } from '../linux/index.ts';
import { type Logger, messageOf, runProgram } from '../std/index.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Lines such as READY=1 to whoever started the daemon and wants to know; nothing where nobody does. */
export function notifyManager(env: Environment, lines: readonly string[], logger: Logger): void {
  const path = env['NOTIFY_SOCKET'];
  if (path === undefined || path === '') return;
  try {
    using socket = connectDatagram(path);
    socket.send(Buffer.from(lines.join('\n')));
  } catch (error) {
    logger.warn('cannot tell the service manager', { lines, error: messageOf(error) });
  }
}

/** Whether the machine goes down, and not only the daemon: then containers must end in order, too. */
export async function isHostStopping(): Promise<boolean> {
  try {
    const { stdout } = await runProgram('systemctl', ['is-system-running'], { signal: AbortSignal.timeout(3000) });
    return stdout.trim() === 'stopping';
  } catch {
    // No systemd here: whoever takes the machine down sees to containers himself.
    return false;
  }
}
