/** `wherry debug`: a shell in the state before the step at which a build failed. */
import type { FailedBuild } from '../../api/index.ts';
import { humanDuration } from '../../std/index.ts';
import type { Command } from '../command.ts';
import { Flags, parseLine } from '../flag/parse.ts';
import { parseFlagTable } from '../flag/table.ts';
import { fitTable, tableWidth } from '../output/fit-table.ts';
import { printable } from '../output/printable.ts';
import { shortId } from '../output/short.ts';
import type { Session } from '../session.ts';
import { Exit, UsageFault } from '../usage-fault.ts';
import { ifWherry, notWherry } from '../wherry-only.ts';

export const command: Command = {
  use: '[OPTIONS] [BUILD] [-- COMMAND [ARG...]]',
  long: `Runs a container of what the step stood on, with its environment, user and working directory, and removes it when you leave.
BUILD is an id of --list, or the beginning of one; the last failure if not given. The daemon remembers the last few.`,
  flags: `
  -l, --list           List the builds that failed
      --shell string   The shell to open (default "sh")
`,
  arity: { min: 0, max: Number.POSITIVE_INFINITY },
  completes: ['none'],
  completesFlags: { shell: ['sh', 'bash', 'ash', 'zsh'] },
  examples: `
# A shell where the last build failed
wherry debug
# One command there
wherry debug -- ls -la
# What failed lately, and a look at one of them
wherry debug --list
wherry debug 4f2a1c --shell bash`,
  async run(session, { flags, args, dash = args.length }) {
    if (dash > 1) throw new UsageFault(`wherry: 'wherry debug' takes one BUILD; a command comes after --`, { code: 1 });
    if (flags.bool('list')) return list(session);
    const words = args.slice(dash);
    return enter(session, dash === 0 ? undefined : args[0], words.length > 0 ? words : [flags.string('shell')]);
  },
};

async function list(session: Session): Promise<void> {
  const client = await session.client();
  const failed = await ifWherry(client.builds.failed());
  if (failed === undefined) throw notWherry('list failed builds');
  const rows = failed.map(({ id, failedAt, step, failure }) => [
    shortId(id),
    `${humanDuration(session.now() - Date.parse(failedAt)).toLowerCase()} ago`,
    failure.exitCode === undefined ? '' : String(failure.exitCode),
    printable(step),
  ]);
  session.out.write(fitTable([['BUILD', 'FAILED', 'EXIT CODE', 'STEP'], ...rows], tableWidth(session.out), [3]));
}

async function enter(session: Session, build: string | undefined, words: readonly string[]): Promise<number> {
  const client = await session.client();
  const made = await ifWherry(client.builds.debugImage(build));
  if (made === undefined) throw notWherry('look inside a failed build');
  const { image, failed } = made;
  if (session.err.isTerminal) session.err.write(introduction(failed));
  try {
    return await runIn(session, image, words);
  } finally {
    // Another look at the same state may still need it: then it goes with that one.
    await client.images.remove(image, { force: true }).catch(() => {});
  }
}

function introduction({ step, failure }: FailedBuild): string {
  const why = failure.exitCode === undefined ? failure.message : `exit code ${failure.exitCode}`;
  return `Before ${printable(step)} (${printable(why)}). What you change here is gone when you leave.\n`;
}

/** As `wherry run --rm -it` of it. */
async function runIn(session: Session, image: string, [program, ...args]: readonly string[]): Promise<number> {
  const { command: run } = await import('./run.ts');
  const isTerminal = session.in.isTerminal && session.out.isTerminal;
  const words = [
    '--rm',
    '-i',
    ...(isTerminal ? ['-t'] : []),
    '--pull',
    'never',
    '--no-healthcheck',
    '--entrypoint',
    program!,
  ];
  const specs = [...parseFlagTable(run.flags ?? ''), ...parseFlagTable(run.hidden ?? '', true)];
  const line = parseLine([...words, image, ...args], { specs, interspersed: false });
  try {
    return (await run.run(session, { flags: line.flags, args: line.args, path: 'run', group: new Flags([]) })) ?? 0;
  } catch (error) {
    if (!/executable file not found|no such file or directory/.test((error as Error).message)) throw error;
    throw new Exit(127, `There is no ${program} in this state: name another with --shell, or a command after --`);
  }
}
