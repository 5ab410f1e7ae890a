/** Runs a parsed template over a value. Methods are functions in the value; fields of maps and structs read alike. */
import { Fault, messageOf } from '../../std/index.ts';
import { type TemplateFunction, templateFunctions } from './functions.ts';
import { position } from './lex.ts';
import { type Node, type Pipeline, parseTemplate, type Term } from './parse.ts';
import { byBytes, formatValue, isTrue, Nil } from './value.ts';

export interface Template {
  /** @throws Fault invalid with Go's text. */
  execute(value: unknown): string;
}

export interface TemplateOptions {
  /** Why a field cannot be had; Go's text for maps unless given. */
  missing?: (field: string) => string;
}

/** @throws Fault invalid: what does not parse, in Go's words. */
export function compileTemplate(source: string, options: TemplateOptions = {}): Template {
  const functions = new Map<string, TemplateFunction>(Object.entries(templateFunctions));
  const nodes = parseTemplate(source, (name) => functions.has(name));
  const missing = options.missing ?? ((field) => `map has no entry for key "${field}"`);
  return { execute: (value) => new Run(source, value, functions, missing).text(nodes) };
}

class Leave extends Error {
  readonly kind: 'break' | 'continue';

  constructor(kind: 'break' | 'continue') {
    super(kind);
    this.kind = kind;
  }
}

class Run {
  readonly #source: string;
  readonly #functions: ReadonlyMap<string, TemplateFunction>;
  readonly #missing: (field: string) => string;
  readonly #root: unknown;
  #variables: { name: string; value: unknown }[];
  #out = '';

  constructor(
    source: string,
    root: unknown,
    functions: ReadonlyMap<string, TemplateFunction>,
    missing: (field: string) => string,
  ) {
    this.#source = source;
    this.#root = root;
    this.#functions = functions;
    this.#missing = missing;
    this.#variables = [{ name: '$', value: root }];
  }

  text(nodes: readonly Node[]): string {
    this.#walk(nodes, this.#root);
    return this.#out;
  }

  #walk(nodes: readonly Node[], dot: unknown): void {
    for (const node of nodes) {
      if (node.kind === 'text') this.#out += node.text;
      else if (node.kind === 'action') {
        const value = this.#pipeline(node.pipeline, dot);
        if (node.pipeline.declares.length === 0) this.#out += formatValue(value);
      } else if (node.kind === 'break' || node.kind === 'continue') throw new Leave(node.kind);
      else this.#scoped(() => this.#block(node, dot));
    }
  }

  #scoped(action: () => void): void {
    const depth = this.#variables.length;
    try {
      action();
    } finally {
      this.#variables = this.#variables.slice(0, depth);
    }
  }

  #block(node: Extract<Node, { body: Node[] }>, dot: unknown): void {
    if (node.kind === 'range') {
      this.#range(node, dot);
      return;
    }
    const value = this.#pipeline(node.pipeline, dot);
    if (isTrue(value)) this.#walk(node.body, node.kind === 'with' ? value : dot);
    else this.#walk(node.otherwise, dot);
  }

  #range(node: Extract<Node, { body: Node[] }>, dot: unknown): void {
    const { declares } = node.pipeline;
    const entries = this.#entries(
      this.#pipeline({ ...node.pipeline, declares: [] }, dot),
      node.pipeline.commands[0]?.[0],
    );
    if (entries.length === 0) this.#walk(node.otherwise, dot);
    for (const [key, value] of entries) {
      try {
        this.#scoped(() => {
          if (declares.length === 1) this.#variables.push({ name: declares[0]!, value });
          if (declares.length === 2) {
            this.#variables.push({ name: declares[0]!, value: key }, { name: declares[1]!, value });
          }
          this.#walk(node.body, value);
        });
      } catch (error) {
        if (!(error instanceof Leave)) throw error;
        if (error.kind === 'break') break;
      }
    }
  }

  #entries(value: unknown, term: Term | undefined): [unknown, unknown][] {
    if (value === null || value === undefined || value instanceof Nil) return [];
    if (Array.isArray(value)) return value.map((each, index) => [index, each]);
    if (value instanceof Map) return [...value.entries()].sort(([a], [b]) => byBytes(String(a), String(b)));
    if (typeof value === 'number') return Array.from({ length: value }, (_, index) => [index, index]);
    if (typeof value === 'object') return Object.entries(value).sort(([a], [b]) => byBytes(a, b));
    return this.#fail(term, `range can't iterate over ${formatValue(value)}`);
  }

  #pipeline(pipeline: Pipeline, dot: unknown): unknown {
    let value: unknown;
    pipeline.commands.forEach((command, index) => {
      value = this.#command(command, dot, index === 0 ? [] : [value]);
    });
    for (const name of pipeline.declares) {
      if (!pipeline.assigns) this.#variables.push({ name, value });
      else {
        const held = this.#variables.findLast((each) => each.name === name);
        if (held === undefined) return this.#fail(pipeline.commands[0]?.[0], `undefined variable: ${name}`);
        held.value = value;
      }
    }
    return value;
  }

  #command([head, ...rest]: readonly Term[], dot: unknown, piped: readonly unknown[]): unknown {
    const first = head!;
    if (first.operand.kind !== 'function') {
      const args = rest.map((term) => this.#term(term, dot));
      return this.#term(first, dot, [...args, ...piped], rest.length + piped.length > 0);
    }
    const { name } = first.operand;
    if (name === 'and' || name === 'or') {
      let value: unknown;
      for (const term of rest) {
        value = this.#term(term, dot);
        if (isTrue(value) === (name === 'or')) return value;
      }
      return piped.length > 0 ? piped[0] : value;
    }
    const args = [...rest.map((term) => this.#term(term, dot)), ...piped];
    try {
      return this.#chain(this.#functions.get(name)!(...args), first, first.fields, []);
    } catch (error) {
      if (error instanceof Fault && error.message.startsWith('template: ')) throw error;
      return this.#fail(first, `error calling ${name}: ${messageOf(error)}`);
    }
  }

  /** @param args go to a method at the end of the chain. */
  #term(term: Term, dot: unknown, args: readonly unknown[] = [], called = false): unknown {
    const { operand, fields } = term;
    switch (operand.kind) {
      case 'literal':
        return operand.value;
      case 'dot':
        return this.#chain(dot, term, fields, args);
      case 'field':
        return this.#chain(dot, term, [operand.name, ...fields], args, called);
      case 'variable': {
        const held = this.#variables.findLast((each) => each.name === operand.name);
        if (held === undefined) return this.#fail(term, `undefined variable: ${operand.name}`);
        return this.#chain(held.value, term, fields, args);
      }
      case 'pipeline':
        return this.#chain(this.#pipeline(operand.pipeline, dot), term, fields, args);
      default:
        return this.#chain(this.#command([{ ...term, fields: [] }], dot, []), term, fields, args);
    }
  }

  #chain(start: unknown, term: Term, fields: readonly string[], args: readonly unknown[], called = false): unknown {
    let value = start;
    fields.forEach((field, index) => {
      const holder = value;
      value = this.#field(holder, field, term);
      if (typeof value === 'function') {
        value = (value as TemplateFunction).apply(holder, index === fields.length - 1 ? [...args] : []);
      } else if (called && index === fields.length - 1) {
        this.#fail(term, `${field} has arguments but cannot be invoked as function`);
      }
    });
    return value;
  }

  #field(holder: unknown, field: string, term: Term): unknown {
    if (holder === null || holder === undefined) return this.#fail(term, `nil data; no entry for key "${field}"`);
    if (holder instanceof Nil) return this.#fail(term, this.#missing(field));
    if (holder instanceof Map)
      return holder.has(field) ? (holder.get(field) as unknown) : this.#fail(term, this.#missing(field));
    if (typeof holder === 'object' && !Array.isArray(holder)) {
      if (Object.hasOwn(holder, field)) return (holder as Record<string, unknown>)[field];
      return this.#fail(term, this.#missing(field));
    }
    const type = Array.isArray(holder) ? '[]interface {}' : typeof holder === 'number' ? 'int' : typeof holder;
    return this.#fail(term, `can't evaluate field ${field} in type ${type}`);
  }

  #fail(term: Term | undefined, problem: string): never {
    const at = term?.at ?? 0;
    throw new Fault(
      'invalid',
      `template: :${position(this.#source, at)}: executing "" at <${term?.source ?? ''}>: ${problem}`,
    );
  }
}
