/** Go's text/template, as far as `--format` needs it. */
export { compileTemplate, type Template, type TemplateOptions } from './evaluate.ts';
export { byBytes, formatJson, formatValue, Nil } from './value.ts';
