/** The official schema (compose-spec.json, JSON Schema draft 7), applied: its keywords are few, and its errors are meant for people. */
import { didYouMean } from '../../dockerfile/index.ts';
import schemaFile from '../schema/compose-spec.json' with { type: 'json' };
import { isMap, type Path, pathText, type Tree } from '../tree.ts';

export interface SchemaProblem {
  path: Path;
  /** The last of the path is a key that may not be there. */
  key: boolean;
  message: string;
}

interface Schema {
  type?: string | string[];
  $ref?: string;
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  items?: Schema;
  oneOf?: Schema[];
  required?: string[];
  enum?: unknown[];
  uniqueItems?: boolean;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  definitions?: Record<string, Schema>;
}

const root = schemaFile as Schema;
const patterns = new Map<string, RegExp>();
const most = 20;

/** What the schema does not allow; nothing when the model is a project. */
export function schemaProblems(model: Tree): SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  check(model, root, [], problems);
  return problems;
}

function check(value: Tree, schema: Schema, path: Path, problems: SchemaProblem[]): void {
  if (problems.length >= most) return;
  const { $ref } = schema;
  if ($ref !== undefined) check(value, root.definitions![$ref.slice('#/definitions/'.length)]!, path, problems);
  if (schema.oneOf !== undefined) checkChoice(value, schema.oneOf, path, problems);
  if (schema.type !== undefined && !hasType(value, schema.type)) {
    problems.push({ path, key: false, message: `${pathText(path)} must be ${typeWords([schema.type].flat())}` });
    return;
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    const words = schema.enum.map((each) => JSON.stringify(each)).join(', ');
    const near = typeof value === 'string' ? didYouMean(value, schema.enum.map(String)) : '';
    problems.push({ path, key: false, message: `${pathText(path)} must be one of ${words}${near}` });
  }
  if (typeof value === 'string') checkText(value, schema, path, problems);
  if (typeof value === 'number') checkNumber(value, schema, path, problems);
  if (Array.isArray(value)) checkList(value, schema, path, problems);
  else if (isMap(value)) checkMap(value, schema, path, problems);
}

function checkText(value: string, { pattern }: Schema, path: Path, problems: SchemaProblem[]): void {
  if (pattern !== undefined && !matches(pattern, value))
    problems.push({ path, key: false, message: `${pathText(path)} does not match pattern ${pattern}` });
}

function checkNumber(value: number, { minimum, maximum }: Schema, path: Path, problems: SchemaProblem[]): void {
  if (minimum !== undefined && value < minimum)
    problems.push({ path, key: false, message: `${pathText(path)} must be at least ${minimum}` });
  if (maximum !== undefined && value > maximum)
    problems.push({ path, key: false, message: `${pathText(path)} must be at most ${maximum}` });
}

function checkList(value: readonly Tree[], schema: Schema, path: Path, problems: SchemaProblem[]): void {
  if (schema.items !== undefined)
    for (const [index, each] of value.entries()) check(each, schema.items, [...path, index], problems);
  if (schema.uniqueItems !== true) return;
  const seen = new Set<string>();
  for (const [index, each] of value.entries()) {
    const text = JSON.stringify(each, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
    if (seen.has(text))
      problems.push({
        path: [...path, index],
        key: false,
        message: `${pathText(path)} must not have the same item twice`,
      });
    seen.add(text);
  }
}

function checkMap(value: { [key: string]: Tree }, schema: Schema, path: Path, problems: SchemaProblem[]): void {
  for (const key of schema.required ?? [])
    if (!(key in value)) problems.push({ path, key: false, message: `${pathText(path)}: ${key} is required` });
  const { properties = {}, patternProperties = {}, additionalProperties } = schema;
  for (const key in value) {
    const each = value[key]!;
    const next = [...path, key];
    const named = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (named !== undefined) check(each, named, next, problems);
    let known = named !== undefined;
    for (const pattern in patternProperties) {
      if (!matches(pattern, key)) continue;
      known = true;
      check(each, patternProperties[pattern]!, next, problems);
    }
    if (known || additionalProperties === undefined || additionalProperties === true) continue;
    if (additionalProperties !== false) check(each, additionalProperties, next, problems);
    else {
      const near = didYouMean(key, Object.keys(properties));
      const where = path.length === 0 ? 'at the top level' : `in ${pathText(path)}`;
      problems.push({ path: next, key: true, message: `unknown key ${JSON.stringify(key)} ${where}${near}` });
    }
  }
}

/** Of several forms the one that is meant is the one of the value's type: its problems are told. */
function checkChoice(value: Tree, choices: readonly Schema[], path: Path, problems: SchemaProblem[]): void {
  const results = choices.map((choice) => {
    const found: SchemaProblem[] = [];
    check(value, choice, path, found);
    return { choice: resolved(choice), found };
  });
  if (results.some(({ found }) => found.length === 0)) return;
  const meant = results.find(({ choice }) => choice.type !== undefined && hasType(value, choice.type));
  if (meant !== undefined) problems.push(...meant.found);
  else {
    const types = results.flatMap(({ choice }) => choice.type ?? []);
    problems.push({ path, key: false, message: `${pathText(path)} must be ${typeWords([...new Set(types)])}` });
  }
}

function resolved(schema: Schema): Schema {
  return schema.$ref === undefined ? schema : root.definitions![schema.$ref.slice('#/definitions/'.length)]!;
}

function matches(pattern: string, text: string): boolean {
  let expression = patterns.get(pattern);
  if (expression === undefined) patterns.set(pattern, (expression = new RegExp(pattern, 'u')));
  return expression.test(text);
}

function hasType(value: Tree, types: string | readonly string[]): boolean {
  return [types].flat().some((type) => isOf(value, type));
}

function isOf(value: Tree, type: string): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isMap(value);
    case 'integer':
      return typeof value === 'bigint' || Number.isInteger(value);
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint';
    default:
      return typeof value === type;
  }
}

const words: Record<string, string> = { object: 'a mapping', array: 'a list', null: 'empty', integer: 'an integer' };

function typeWords(types: readonly string[]): string {
  const each = types.map((type) => words[type] ?? `a ${type}`);
  return each.length < 2 ? (each[0] ?? 'something else') : `${each.slice(0, -1).join(', ')} or ${each.at(-1)!}`;
}
