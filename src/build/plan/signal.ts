/** Whether STOPSIGNAL names a signal of Linux: a number that is not 0, or a name in any case, with or without SIG. */

const names = new Set(
  (
    'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN ' +
    'TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'
  ).split(' '),
);

export function isSignal(text: string): boolean {
  if (/^[-+]?\d+$/.test(text)) return Number(text) !== 0;
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realTime = /^RTM(IN\+|AX-)(\d+)$/.exec(name);
  if (realTime === null) return names.has(name);
  const distance = Number(realTime[2]);
  return distance >= 1 && distance <= (realTime[1] === 'IN+' ? 15 : 14);
}
