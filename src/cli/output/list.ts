/** Lists as Docker's formatter prints them: `table`, `table TEMPLATE`, `json`, `TEMPLATE`. */
import { Fault, messageOf } from '../../std/index.ts';
import { alignColumns } from './tabwriter.ts';

/** A row's fields. A function is computed when asked for, and takes a template's arguments. */
export type Row = Readonly<Record<string, unknown>>;

export interface ListShape {
  /** Go's name of the row type, for messages: "ContainerContext". */
  type: string;
  /** Field to column title. */
  headers: Readonly<Record<string, string>>;
  /** Fields of the table when no format is given. */
  columns: readonly string[];
  /** Fields that the json form leaves out. */
  hidden?: readonly string[];
}

/** @param format the flag, or the user's configured one; '' is the table. */
export async function formatList(shape: ListShape, rows: readonly Row[], format: string): Promise<string> {
  const source = format.trim();
  if (source === '' || source === 'table') return plainTable(shape, rows);
  const { compileTemplate, formatJson } = await import('../template/index.ts');
  if (source === 'json' || source === '{{json .}}') {
    return rows.map((row) => `${escapeHtml(formatJson(jsonRow(shape, row)))}\n`).join('');
  }
  const isTable = /^table\b/.test(source);
  const body = unescape(isTable ? source.slice(5).trim() : format);
  const template = wrap('parse', () =>
    compileTemplate(body, { missing: (field) => `can't evaluate field ${field} in type *formatter.${shape.type}` }),
  );
  const execute = (row: Row): string => wrap('execute', () => template.execute(row));
  const lines = rows.map((row) => `${execute(row)}\n`).join('');
  if (!isTable) return lines;
  const titles = compileTemplate(body.replace(/\{\{-?\s*json\s+/g, '{{'), { missing: (field) => field });
  return alignColumns(`${titles.execute(titleRow(shape))}\n${lines}`);
}

function plainTable(shape: ListShape, rows: readonly Row[]): string {
  const cell = (row: Row, field: string): string => {
    const value = row[field];
    return String(typeof value === 'function' ? (value as () => unknown)() : value);
  };
  const lines = [shape.columns.map((field) => shape.headers[field])];
  for (const row of rows) lines.push(shape.columns.map((field) => cell(row, field)));
  return alignColumns(`${lines.map((cells) => cells.join('\t')).join('\n')}\n`);
}

function jsonRow(shape: ListShape, row: Row): Record<string, unknown> {
  const fields = Object.keys(row)
    .filter((field) => shape.hidden?.includes(field) !== true)
    .sort();
  return Object.fromEntries(
    fields.map((field) => [field, typeof row[field] === 'function' ? (row[field] as () => unknown)() : row[field]]),
  );
}

/** A row whose fields are their titles; a field that is called takes its title from its argument (`.Label "x"`). */
function titleRow(shape: ListShape): Record<string, unknown> {
  const titles: Record<string, unknown> = { ...shape.headers };
  titles['Label'] = (name: unknown) => String(name).split(/[-_]/).join(' ');
  return titles;
}

/** As Go's json.Marshal does. */
function escapeHtml(json: string): string {
  return json.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e').replaceAll('&', '\\u0026');
}

/** `\t` and `\n` typed in a shell. */
function unescape(text: string): string {
  return text.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
}

function wrap<T>(verb: 'parse' | 'execute', action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Fault('invalid', `failed to ${verb} template: ${messageOf(error)}`, { cause: error });
  }
}
