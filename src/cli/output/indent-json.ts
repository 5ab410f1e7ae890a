/** Go's json.Indent: the same values in the same words, on lines of their own. Numbers and escapes stay as they came. */

export function indentJson(text: string, unit: string, prefix = ''): string {
  let result = '';
  let depth = 0;
  let at = 0;
  const newline = (): string => `\n${prefix}${unit.repeat(depth)}`;
  while (at < text.length) {
    const letter = text[at]!;
    if (letter === '"') {
      let end = at + 1;
      while (text[end] !== '"' && end < text.length) end += text[end] === '\\' ? 2 : 1;
      result += text.slice(at, end + 1);
      at = end + 1;
      continue;
    }
    at++;
    if (letter === '{' || letter === '[') {
      const rest = /\s*[}\]]/y;
      rest.lastIndex = at;
      if (rest.test(text)) {
        result += letter + (letter === '{' ? '}' : ']');
        at = rest.lastIndex;
      } else {
        depth++;
        result += letter + newline();
      }
    } else if (letter === '}' || letter === ']') {
      depth--;
      result += newline() + letter;
    } else if (letter === ',') result += `,${newline()}`;
    else if (letter === ':') result += ': ';
    else if (!/\s/.test(letter)) result += letter;
  }
  return result;
}
