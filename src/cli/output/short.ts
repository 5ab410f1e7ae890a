/** Small renderings that many lists share. */

/** Twelve digits of an id, without its algorithm. */
export function shortId(id: string): string {
  return id.replace(/^[a-z0-9]+:/, '').slice(0, 12);
}

/** At most `length` characters, the last of them an ellipsis where something is cut. */
export function ellipsis(text: string, length: number): string {
  const letters = Array.from(text);
  if (letters.length <= length) return text;
  return length <= 1 ? letters.slice(0, length).join('') : `${letters.slice(0, length - 1).join('')}…`;
}

/** "a=1,b=2", keys in order. */
export function labelText(labels: Readonly<Record<string, string>> | null | undefined): string {
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** Go's Time.String in local time: "2026-11-24 01:18:39 +0000 UTC". */
export function goTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time} ${zoneOffset(date)} ${zoneName(date)}`;
}

/** "+0100", or with a colon "+01:00". */
export function zoneOffset(date: Date, colon = ''): string {
  const minutes = -date.getTimezoneOffset();
  const two = (value: number): string => String(value).padStart(2, '0');
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.trunc(size / 60))}${colon}${two(size % 60)}`;
}

function zoneName(date: Date): string {
  if (date.getTimezoneOffset() === 0) return 'UTC';
  const part = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' })
    .formatToParts(date)
    .find((each) => each.type === 'timeZoneName')?.value;
  return part === undefined || part.startsWith('GMT') ? zoneOffset(date) : part;
}
