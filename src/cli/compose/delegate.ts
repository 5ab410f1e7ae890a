/** A verb of compose that is a command of `wherry` on the container of a service. */
import type { Command } from '../command.ts';
import { Flags, parseLine } from '../flag/parse.ts';
import { parseFlagTable } from '../flag/table.ts';
import type { Session } from '../session.ts';

/** Runs a command as if its words had been typed. @returns its exit code */
export async function delegate(
  session: Session,
  command: Command,
  words: readonly string[],
  path: string,
): Promise<number> {
  const specs = [...parseFlagTable(command.flags ?? ''), ...parseFlagTable(command.hidden ?? '', true)];
  const { flags, args } = parseLine(words, {
    specs,
    interspersed: command.stopsAtArgument !== true,
    checks: command.checks,
  });
  return (await command.run(session, { flags, args, path, group: new Flags([]) })) ?? 0;
}
