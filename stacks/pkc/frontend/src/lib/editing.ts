/** What keys do to a text and its selection, as in any Markdown editor. Pure. */

export interface Text {
  value: string;
  start: number;
  end: number;
}

/** Around the selection, or taken away again. */
export function wrapped({ value, start, end }: Text, mark: string): Text {
  const inner = value.slice(start, end);
  const isWrapped = value.slice(start - mark.length, start) === mark && value.slice(end, end + mark.length) === mark;
  if (isWrapped)
    return {
      value: value.slice(0, start - mark.length) + inner + value.slice(end + mark.length),
      start: start - mark.length,
      end: end - mark.length,
    };
  return {
    value: value.slice(0, start) + mark + inner + mark + value.slice(end),
    start: start + mark.length,
    end: end + mark.length,
  };
}

export function linked({ value, start, end }: Text): Text {
  const inner = value.slice(start, end);
  if (/^https?:\/\/\S+$/.test(inner)) {
    const made = `[](${inner})`;
    return { value: value.slice(0, start) + made + value.slice(end), start: start + 1, end: start + 1 };
  }
  const made = `[${inner}]()`;
  const at = start + made.length - 1;
  return { value: value.slice(0, start) + made + value.slice(end), start: at, end: at };
}

/** Enter in a list begins the next entry; in an empty entry it ends the list. Undefined: an ordinary line break. */
export function continued({ value, start, end }: Text): Text | undefined {
  if (start !== end) return undefined;
  const begin = value.lastIndexOf('\n', start - 1) + 1;
  const line = value.slice(begin, start);
  const match = /^(\s*)(?:([-*+])( \[[ xX]\])?|(\d{1,9})([.)]))(\s+)/.exec(line);
  if (match === null) return undefined;
  const [whole, indent = '', bullet, task, number, dot, space = ' '] = match;
  if (line.length === whole.length && value.slice(start).split('\n', 1)[0] === '')
    return { value: value.slice(0, begin) + value.slice(start), start: begin, end: begin };
  const next = `\n${indent}${bullet === undefined ? `${Number(number) + 1}${dot}` : `${bullet}${task === undefined ? '' : ' [ ]'}`}${space}`;
  const at = start + next.length;
  return { value: value.slice(0, start) + next + value.slice(start), start: at, end: at };
}

/** Tab and Shift-Tab: the lines of the selection by two blanks. */
export function indented({ value, start, end }: Text, back: boolean): Text {
  const begin = value.lastIndexOf('\n', start - 1) + 1;
  if (start === end && !back && !/^\s*(?:[-*+]|\d+[.)])\s/.test(value.slice(begin, start)))
    return { value: `${value.slice(0, start)}  ${value.slice(end)}`, start: start + 2, end: end + 2 };
  const lines = value.slice(begin, end).split('\n');
  const changed = lines.map((line) => (back ? line.replace(/^ {1,2}|^\t/, '') : `  ${line}`));
  const first = changed[0]!.length - lines[0]!.length;
  const all = changed.join('\n').length - lines.join('\n').length;
  return {
    value: value.slice(0, begin) + changed.join('\n') + value.slice(end),
    start: Math.max(begin, start + first),
    end: end + all,
  };
}

/** The n-th task of a text ticked, or not; code is no task. */
export function ticked(text: string, index: number): string {
  let count = 0;
  let isCode = false;
  return text
    .split('\n')
    .map((line) => {
      if (/^ {0,3}(?:`{3}|~{3})/.test(line)) isCode = !isCode;
      if (isCode) return line;
      return line.replace(
        /^(\s*(?:[-*+]|\d+[.)])\s+\[)([ xX])(\](?=\s))/,
        (whole, before: string, mark: string, after: string) =>
          count++ === index ? `${before}${mark === ' ' ? 'x' : ' '}${after}` : whole,
      );
    })
    .join('\n');
}

/** What is being typed after `[[`; undefined when no link is. */
export function linkBeingTyped({ value, start, end }: Text): { from: number; text: string } | undefined {
  if (start !== end) return undefined;
  const match = /\[\[([^\][\n|]{0,80})$/.exec(value.slice(Math.max(0, start - 100), start));
  return match === null ? undefined : { from: start - match[1]!.length, text: match[1]! };
}
