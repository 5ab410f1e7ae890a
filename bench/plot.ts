/** A bench's rows as one picture: a bar for each engine, a tick for the limit. SVG without scripts, readable on light and dark paper. Pure. */
import type { Row } from './report.ts';

const colours: Readonly<Record<string, string>> = { wherry: '#2f6fde', dockerd: '#d98a1f', podman: '#7a5ab8' };
const other = '#8a8f98';
const [width, left, bar, gap] = [860, 300, 13, 4];

/** @param title also says date, machine and versions */
export function plot(title: string, rows: readonly Row[]): string {
  const parts: string[] = [];
  let y = 44;
  for (const row of rows) {
    const values = Object.entries(row.values);
    if (values.length === 0) continue;
    const most = Math.max(
      ...values.map(([, { max }]) => max),
      ...row.limits.map((limit) => limitOf(row, limit) ?? 0),
      1e-9,
    );
    const scale = (value: number): number => (value / most) * (width - left - 130);
    parts.push(text(12, y + 10, row.what, 'font-weight="600"'));
    y += 18;
    for (const [name, { median, min, max }] of values) {
      const colour = colours[name] ?? (name.startsWith('wherry') ? '#7fa8ee' : other);
      parts.push(
        text(left - 8, y + 10, name, 'text-anchor="end"'),
        `<rect x="${left}" y="${y}" width="${scale(median).toFixed(1)}" height="${bar}" rx="2" fill="${colour}"/>`,
        `<path d="M${(left + scale(min)).toFixed(1)} ${y + bar / 2}H${(left + scale(max)).toFixed(1)}" stroke="#555" stroke-width="1"/>`,
        text(left + scale(max) + 6, y + 10, `${figure(median)} ${row.unit}`),
      );
      y += bar + gap;
    }
    for (const limit of row.limits) {
      const at = limitOf(row, limit);
      if (at === undefined) continue;
      const x = (left + scale(at)).toFixed(1);
      const height = values.length * (bar + gap);
      parts.push(`<path d="M${x} ${y - height - 2}V${y}" stroke="#c22" stroke-width="1.5" stroke-dasharray="3 2"/>`);
    }
    y += 14;
  }
  const head = text(12, 24, title, 'font-size="14"');
  const style =
    '<style>text{font:12px system-ui,sans-serif;fill:#1d2129}@media(prefers-color-scheme:dark){text{fill:#e6e8eb}}</style>';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" role="img">${style}${head}${parts.join('')}</svg>\n`;
}

/** Where a limit lies in the row's unit. */
function limitOf({ values }: Row, { by, atMost }: Row['limits'][number]): number | undefined {
  if (typeof by === 'number') return by;
  const median = values[by]?.median;
  return median === undefined ? undefined : median * atMost;
}

export function figure(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

function text(x: number, y: number, words: string, more = ''): string {
  const safe = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y}" ${more}>${safe}</text>`;
}
