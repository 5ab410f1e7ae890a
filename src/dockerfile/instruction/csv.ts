/** One record of Go's `encoding/csv`: commas, and fields in double quotes. */
import { SyntaxProblem } from '../source/problem.ts';
import type { Range } from '../source/range.ts';

/** @throws SyntaxProblem `failed to parse csv <what>: …` */
export function readCsv(text: string, what: string, range: Range): string[] {
  const failed = (why: string): SyntaxProblem =>
    new SyntaxProblem('bad-csv', `failed to parse csv ${what}: ${why}`, range);
  if (text === '') throw failed('EOF');
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      const quoted = /"((?:[^"]|"")*)"(?=,|$)/y;
      quoted.lastIndex = at;
      const match = quoted.exec(text);
      if (match === null)
        throw failed(`parse error on line 1, column ${text.length + 1}: extraneous or missing " in quoted-field`);
      fields.push(match[1]!.replaceAll('""', '"'));
      at = quoted.lastIndex;
    } else {
      const comma = text.indexOf(',', at);
      const field = text.slice(at, comma < 0 ? undefined : comma);
      const bare = field.indexOf('"');
      if (bare >= 0) throw failed(`parse error on line 1, column ${at + bare + 1}: bare " in non-quoted field`);
      fields.push(field);
      at += field.length;
    }
    if (at >= text.length) return fields;
    at++;
  }
}
