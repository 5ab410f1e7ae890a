/** Numbers and times as people read them. Pure. */

export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A note's text as it is read below its title: a first heading that says the same is left out. */
export function withoutTitle(markdown: string, title: string): string {
  const match = /^\s*# +(.+?) *#* *(?:\n|$)/.exec(markdown);
  return match !== null && match[1]!.replace(/[*_`]/g, '').trim() === title
    ? markdown.slice(match[0].length)
    : markdown;
}

export function ago(iso: string, now = Date.now()): string {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (seconds < 45) return 'just now';
  const format = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
  for (const [unit, length] of [
    ['minute', 60],
    ['hour', 3600],
    ['day', 86_400],
  ] as const) {
    const next = unit === 'minute' ? 3600 : unit === 'hour' ? 86_400 : 7 * 86_400;
    if (seconds < next) return format.format(-Math.max(1, Math.round(seconds / length)), unit);
  }
  return new Date(iso).toLocaleDateString('en', { year: 'numeric', month: 'short', day: 'numeric' });
}

export function exact(iso: string): string {
  return new Date(iso).toLocaleString('en', { dateStyle: 'medium', timeStyle: 'medium' });
}
