/** From words to an exit code: global options, the command's place in the tree, its flags and arity, and what went wrong. */
import type { Command } from './command.ts';
import { Flags, parseLine } from './flag/parse.ts';
import { type FlagSpec, parseFlagTable } from './flag/table.ts';
import { defaultConfigFolder } from '../context/index.ts';
import { globalFlags, resolveGlobalOptions } from './global-options.ts';
import type { Session } from './session.ts';
import { root, type TreeNode } from './tree.ts';
import { Exit, UsageFault } from './usage-fault.ts';

export async function main(): Promise<void> {
  const { openSession } = await import('./open-session.ts');
  // bin/wherry puts -- before the words, so that Node leaves --env-file alone.
  const words = process.argv.slice(2);
  process.exit(await run(words[0] === '--' ? words.slice(1) : words, openSession));
}

/** @param open makes the session once the global options are known. */
export async function run(
  words: readonly string[],
  open: (options: ReturnType<typeof resolveGlobalOptions>) => Session,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<number> {
  const specs = parseFlagTable(globalFlags(defaultConfigFolder(env)));
  const line = attempt(() => parseLine(words, { specs, interspersed: false }));
  if (line instanceof UsageFault) {
    const session = open(resolveGlobalOptions(parseLine([], { specs, interspersed: false }).flags, env));
    return fail(session, [], root, undefined, line);
  }
  const options = resolveGlobalOptions(line.flags, env);
  const session = open(options);
  const { path, node, rest, group: groupFlags, help, fault } = descend(line.args);
  try {
    if (fault !== undefined) throw fault;
    if (line.flags.bool('version')) {
      const { versionLine } = await import('./version.ts');
      session.out.write(`${versionLine()}\n`);
      return 0;
    }
    if (node.load === undefined) return await group(session, path, node, rest, line.help || help);
    if (line.help || help) return await showHelp(session, path, node, (await node.load()).command);
    return await runCommand(session, { path, node, group: groupFlags }, (await node.load()).command, rest);
  } catch (error) {
    return fail(session, path, node, undefined, error);
  }
}

function attempt<T>(action: () => T): T | UsageFault {
  try {
    return action();
  } catch (error) {
    if (error instanceof UsageFault) return error;
    throw error;
  }
}

/** Where words lead in the tree. */
export interface Descent {
  path: string[];
  node: TreeNode;
  rest: string[];
  /** The flags that a group took before its command, all groups' together. */
  group: Flags;
  /** Whether one asked for help there. */
  help: boolean;
  /** A flag that its group does not have. */
  fault: UsageFault | undefined;
}

/** Follows words down the tree as far as they name commands. Groups can have flags of their own, before the command's name. */
export function descend(words: readonly string[]): Descent {
  const found: Descent = {
    path: [],
    node: root,
    rest: [...words],
    group: new Flags([]),
    help: false,
    fault: undefined,
  };
  while (found.node.children !== undefined && found.rest.length > 0) {
    const next = childOf(found.node, found.rest[0]!);
    if (next === undefined) break;
    found.path.push(next.name);
    found.node = next.node;
    found.rest.shift();
    if (next.node.flags === undefined) continue;
    const specs = groupSpecs(next.node);
    const line = attempt(() => parseLine(found.rest, { specs, interspersed: false }));
    if (line instanceof UsageFault) return { ...found, fault: line };
    found.group = line.flags;
    found.rest = line.args;
    if (line.help) return { ...found, help: true };
  }
  return found;
}

/** The flags that stand before a group's command. */
export function groupSpecs({ flags = '', hiddenFlags = '' }: TreeNode): FlagSpec[] {
  return [...parseFlagTable(flags), ...parseFlagTable(hiddenFlags, true)];
}

function childOf(node: TreeNode, word: string): { name: string; node: TreeNode } | undefined {
  const exact = node.children?.[word];
  if (exact !== undefined && Object.hasOwn(node.children!, word)) return { name: word, node: exact };
  for (const [name, child] of Object.entries(node.children ?? {})) {
    if (child.aliases?.includes(word) === true) return { name, node: child };
  }
  return undefined;
}

async function group(session: Session, path: string[], node: TreeNode, rest: string[], help: boolean): Promise<number> {
  const [word] = rest;
  if (word === undefined || help || word === '--help' || word === '-h') return showHelp(session, path, node, undefined);
  if (path.length === 0 && word === 'help') {
    const wanted = descend(rest.slice(1));
    return showHelp(session, wanted.path, wanted.node, (await wanted.node.load?.())?.command);
  }
  const { describeUnknown } = await import('./help/suggest.ts');
  if (word.startsWith('-')) {
    const unknown = word.startsWith('--')
      ? `unknown flag: ${word.replace(/=.*/, '')}`
      : `unknown shorthand flag: '${word[1]}' in ${word}`;
    throw new UsageFault(unknown);
  }
  session.err.write(describeUnknown(path, node, word));
  return 1;
}

async function showHelp(
  session: Session,
  path: string[],
  node: TreeNode,
  command: Command | undefined,
): Promise<number> {
  const { helpText } = await import('./help/help.ts');
  session.out.write(helpText({ path, node, command, width: session.out.columns }));
  return 0;
}

/** Parses what follows the command's name, checks the arity, runs it. */
async function runCommand(
  session: Session,
  { path, node, group: groupFlags }: Pick<Descent, 'path' | 'node' | 'group'>,
  command: Command,
  words: readonly string[],
): Promise<number> {
  const place = { group: groupFlags, path: path.join(' ') };
  try {
    if (command.takesAnything === true && !words.includes('--help')) {
      return (await command.run(session, { flags: new Flags([]), args: words, ...place })) ?? 0;
    }
    const specs = [...parseFlagTable(command.flags ?? ''), ...parseFlagTable(command.hidden ?? '', true)];
    const line = parseLine(words, { specs, interspersed: command.stopsAtArgument !== true, checks: command.checks });
    if (line.help) return await showHelp(session, path, node, command);
    for (const notice of line.notices) session.err.write(`${notice}\n`);
    checkArity(path, command, line.args.length);
    return (await command.run(session, { flags: line.flags, args: line.args, dash: line.dash, ...place })) ?? 0;
  } catch (error) {
    return fail(session, path, node, command, error);
  }
}

function checkArity(path: string[], { arity: { min, max }, arityCode = 1 }: Command, count: number): void {
  if (count >= min && count <= max) return;
  const plural = (number: number): string => (number === 1 ? '1 argument' : `${number} arguments`);
  const rule =
    max === 0
      ? 'accepts no arguments'
      : min === max
        ? `requires ${plural(min)}`
        : min > 0 && max === Number.POSITIVE_INFINITY
          ? `requires at least ${plural(min)}`
          : min === 0
            ? `requires at most ${plural(max)}`
            : `requires at least ${min} and at most ${max} arguments`;
  throw new UsageFault(`wherry: 'wherry ${path.join(' ')}' ${rule}`, {
    code: arityCode,
    see: max === Number.POSITIVE_INFINITY,
  });
}

async function fail(
  session: Session,
  path: string[],
  node: TreeNode,
  command: Command | undefined,
  error: unknown,
): Promise<number> {
  if (error instanceof Exit) {
    if (error.message !== '') session.err.write(`${error.message}\n`);
    return error.code;
  }
  if (error instanceof UsageFault) {
    const { usageLines } = await import('./help/help.ts');
    const usage = error.showUsage ? `\n${usageLines(path, node, command)}` : '';
    session.err.write(
      `${error.message}\n${usage}\n${error.see ? 'See' : 'Run'} '${['wherry', ...path, '--help'].join(' ')}' for more information\n`,
    );
    return error.code;
  }
  const { explain } = await import('./explain.ts');
  session.err.write(`${explain(error, session.options.debug)}\n`);
  return 1;
}
