/** `inspect`: things by name as the daemon tells them, as a JSON array or through a template; refusals at the end. */
import { Fault, messageOf } from '../../std/index.ts';
import { explain } from '../explain.ts';
import type { Session } from '../session.ts';
import { Exit } from '../usage-fault.ts';
import { indentJson } from './indent-json.ts';

export async function inspectAll(
  session: Session,
  names: readonly string[],
  format: string,
  get: (name: string) => Promise<string>,
): Promise<void> {
  const template = format === '' || format === 'json' ? undefined : await compile(format);
  const found: string[] = [];
  const failures: unknown[] = [];
  let printed = '';
  for (const name of names) {
    try {
      const text = await get(name);
      found.push(text);
      if (format === 'json') printed += `${JSON.stringify(JSON.parse(text))}\n`;
      else if (template !== undefined) printed += `${template(text)}\n`;
    } catch (error) {
      failures.push(error);
    }
  }
  if (format === '') {
    printed =
      found.length === 0
        ? '[]\n'
        : `[\n${found.map((text) => `    ${indentJson(text.trim(), '    ', '    ')}`).join(',\n')}\n]\n`;
  } else if (printed === '') printed = '\n';
  session.out.write(printed);
  if (failures.length > 0) {
    throw new Exit(1, failures.map((error) => explain(error, session.options.debug)).join('\n'));
  }
}

async function compile(format: string): Promise<(text: string) => string> {
  const { compileTemplate } = await import('../template/index.ts');
  const { typedJson } = await import('./typed-json.ts');
  let template: ReturnType<typeof compileTemplate>;
  try {
    template = compileTemplate(format.replaceAll('\\t', '\t').replaceAll('\\n', '\n'));
  } catch (error) {
    throw new Exit(64, `template parsing error: ${messageOf(error)}`);
  }
  return (text) => {
    try {
      return template.execute(typedJson(text));
    } catch (error) {
      throw new Fault('invalid', `template parsing error: ${messageOf(error)}`, { cause: error });
    }
  };
}
