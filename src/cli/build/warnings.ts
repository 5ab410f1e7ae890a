/** The build checks' warnings, after the build. */
import type { VertexWarning } from '../../buildkit/index.ts';
import { excerpt } from './excerpt.ts';

/** As buildx prints them with --debug: each with its line, for nobody remembers to ask. '' when there are none. */
export function warningsText(warnings: readonly VertexWarning[], isColored: boolean): string {
  if (warnings.length === 0) return '';
  const count = `${warnings.length === 1 ? '1 warning' : `${warnings.length} warnings`} found:\n`;
  return `\n ${isColored ? `\u001b[33m${count}\u001b[0m` : count}${warnings.map(warningText).join('')}`;
}

function warningText({ short, detail, url, source, ranges }: VertexWarning): string {
  const lines = [` - ${short}`, ...detail, ...(url === '' ? [] : [`More info: ${url}`])];
  return `${lines.join('\n')}\n${source === undefined ? '' : excerpt(source, ranges)}\n`;
}
