import { SyntaxProblem } from '../source/problem.ts';
import { goQuote } from '../text/characters.ts';
import type { Flag } from '../text/split-command.ts';
import { commandLine, type InstructionContext } from './context.ts';
import { readCsv } from './csv.ts';
import { FlagSet } from './flags.ts';
import { parseMountFlag } from './mount.ts';
import type { RunInstruction } from './types.ts';

const networks = ['default', 'none', 'host'] as const;
const securities = ['sandbox', 'insecure'] as const;

/** `RUN [--mount=…] [--network=…] [--security=…] [--device=…] command`. */
export function parseRun(context: InstructionContext): RunInstruction {
  const command = commandLine(context.rest);
  const flags = new FlagSet(context.base.flags, {
    mount: 'strings',
    network: 'string',
    security: 'string',
    device: 'strings',
  });
  return {
    ...context.base,
    kind: 'RUN',
    command,
    mounts: flags.all('mount').map(parseMountFlag),
    network: oneOf(flags.all('network')[0], networks, 'invalid network mode'),
    security: oneOf(flags.all('security')[0], securities, 'security'),
    devices: flags.all('device').map(parseDevice),
  };
}

function oneOf<Name extends string>(flag: Flag | undefined, names: readonly Name[], what: string): Name | undefined {
  if (flag?.value === undefined || flag.value === '') return undefined;
  const found = names.find((name) => name === flag.value);
  if (found !== undefined) return found;
  const value = goQuote(flag.value);
  const message = what === 'security' ? `security ${value} is not valid` : `${what} ${value}`;
  throw new SyntaxProblem('bad-flag-value', message, flag.valueRange);
}

/** `--device=vendor/class=name[,required]`. */
function parseDevice({ value = '', valueRange }: Flag): { name: string; required: boolean } {
  const device = { name: '', required: false };
  for (const [index, field] of readCsv(value, 'devices', valueRange).entries()) {
    const [key = '', ...rest] = field.split('=');
    if (index === 0 && !/^(name|required)$/i.test(key)) device.name = field;
    else if (rest.length === 0 && key.toLowerCase() === 'required') device.required = true;
    else if (key.toLowerCase() === 'name') device.name = rest.join('=');
    else if (key.toLowerCase() === 'required') device.required = rest.join('=') === 'true';
    else throw new SyntaxProblem('bad-device', `unexpected key '${key}' in '${field}'`, valueRange);
  }
  if (device.name === '') throw new SyntaxProblem('bad-device', 'device name is required', valueRange);
  return device;
}
