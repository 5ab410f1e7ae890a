/**
 * A container that lives no longer than the connection which holds it: its first process is a shell that starts the real one and watches
 * standard input. Whoever started it keeps that open; when their process dies, however it dies, the kernel closes the connection, the
 * daemon closes the input (`StdinOnce`), the shell ends, and the daemon removes the container (`AutoRemove`). Works on any Docker daemon; the
 * image needs `sh` and `cat`.
 */

/** Runs its arguments, passes signals on, ends with their exit code; and ends them when its input ends. */
const script = `exec 3<&0
"$@" </dev/null 3<&- &
main=$!
for name in TERM INT QUIT HUP USR1 USR2; do trap "kill -$name $main 2>/dev/null" $name; done
{ cat <&3 >/dev/null; kill -TERM $main; sleep 2; kill -KILL $main; } 2>/dev/null &
while :; do wait $main; code=$?; kill -0 $main 2>/dev/null || exit $code; done`;

/** The command line goes behind it. */
export const holdEntrypoint: readonly string[] = ['sh', '-c', script, 'hold'];

/** What such a container is created with. */
export const holdConfig = { OpenStdin: true, StdinOnce: true, AttachStdin: true } as const;

/** SIGTERM's bit in the masks of /proc/PID/status. */
const termBit = 1n << 14n;

/**
 * Whether the shell, of which this is /proc/1/status, passes signals on already. The kernel drops those that a first process does not
 * catch yet: a stop right after the start would wait for nothing.
 */
export function passesSignals(status: string): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return mask !== undefined && (BigInt(`0x${mask}`) & termBit) !== 0n;
}
