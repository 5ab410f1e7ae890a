/** Words that all displays share. */
import type { VertexStatus } from '../../../buildkit/index.ts';

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** As BuildKit shows sizes (tonistiigi/units, %.2f): whole bytes, two digits of anything more. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(2)}${units[unit]}`;
}

/** "1.00MB / 3.40MB", "87B"; '' where there are no bytes. */
export function amountText({ current, total }: VertexStatus): string {
  if (total !== 0) return `${sizeText(current)} / ${sizeText(total)}`;
  return current === 0 ? '' : sizeText(current);
}
