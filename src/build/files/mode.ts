/** `--chmod`: octal for all alike, or symbolic as chmod(1) has it, on what each file has. Pure. */

const setuid = 0o4000;
const setgid = 0o2000;
const sticky = 0o1000;
const shifts = { u: 6, g: 3, o: 0 } as const;
type Who = keyof typeof shifts;

/** `text` is known to be well-formed (the plan checks it). A clause that names nobody means all, whatever umask there is. */
export function changedMode(mode: number, change: number | string, isDirectory: boolean): number {
  if (typeof change === 'number') return change;
  return change.split(',').reduce((current, clause) => applyClause(current, clause, isDirectory), mode);
}

function applyClause(mode: number, clause: string, isDirectory: boolean): number {
  const [, names = '', actions = ''] = /^([ugoa]*)(.*)$/.exec(clause)!;
  const all = names === '' || names.includes('a');
  const who = (['u', 'g', 'o'] as const).filter((one) => all || names.includes(one));
  let current = mode;
  for (const [, operator, letters = ''] of actions.matchAll(/([-+=])([ugo]|[rwxXst]*)/g)) {
    const bits = who.reduce((sum, one) => sum | bitsFor(one, letters, current, isDirectory), 0);
    const shared = letters.includes('t') && who.length === 3 ? sticky : 0;
    if (operator === '+') current |= bits | shared;
    else if (operator === '-') current &= ~(bits | shared);
    else current = (current & ~who.reduce((sum, one) => sum | clearedFor(one), 0)) | bits | shared;
  }
  return current;
}

function bitsFor(who: Who, letters: string, mode: number, isDirectory: boolean): number {
  const shift = shifts[who];
  if (letters === 'u' || letters === 'g' || letters === 'o') return ((mode >> shifts[letters]) & 7) << shift;
  let bits = 0;
  if (letters.includes('r')) bits |= 4 << shift;
  if (letters.includes('w')) bits |= 2 << shift;
  if (letters.includes('x') || (letters.includes('X') && (isDirectory || (mode & 0o111) !== 0))) bits |= 1 << shift;
  if (letters.includes('s') && who !== 'o') bits |= who === 'u' ? setuid : setgid;
  return bits;
}

/** What `=` takes away before it gives. */
function clearedFor(who: Who): number {
  return (7 << shifts[who]) | (who === 'u' ? setuid : who === 'g' ? setgid : sticky);
}
