/** `wherry build`: asks the daemon for a build over BuildKit's wire, lends it what it needs, and shows how it goes. */
import { constants } from 'node:os';
import { askBuild, type BuildAnswer, type Connect, SolveFault } from '../../buildkit/index.ts';
import { answerText } from '../build/answer.ts';
import { prepareBuild } from '../build/ask.ts';
import { parseCall } from '../build/call-flag.ts';
import { type BuildPlace, findPlace } from '../build/context.ts';
import { debugAdvice, failureText } from '../build/failure.ts';
import { buildChecks, buildFlags, hiddenBuildFlags, progressModes } from '../build/flags.ts';
import { tagExports, tagLayout } from '../build/local-caches.ts';
import type { Output } from '../build/outputs.ts';
import { openDisplay, type ProgressMode } from '../build/progress/display.ts';
import { pushBuilt } from '../build/push.ts';
import { checkResultFile, imageIdOf, metadataText, writeResultFile } from '../build/results.ts';
import { warningsText } from '../build/warnings.ts';
import { type Command, exactly } from '../command.ts';
import type { Flags } from '../flag/parse.ts';
import type { Session } from '../session.ts';
import { Exit, UsageFault } from '../usage-fault.ts';

/** The exit code of who was stopped by Ctrl-C. */
const interrupted = 128 + constants.signals.SIGINT;

export const command: Command = {
  use: '[OPTIONS] PATH | URL | -',
  long: `Builds what a Dockerfile says, in the folder PATH, from a git repository or archive at URL, or from standard input: a tar
(compressed or not) is the context, anything else is a Dockerfile without one. What .dockerignore names is not sent.`,
  flags: buildFlags,
  hidden: hiddenBuildFlags,
  checks: buildChecks,
  arity: exactly(1),
  completes: ['file'],
  completesFlags: {
    progress: progressModes,
    call: ['build', 'check', 'outline', 'targets'],
    network: ['default', 'host', 'none'],
    allow: ['network.host', 'security.insecure'],
    tag: 'image',
    'cache-from': 'image',
    file: 'file',
    output: 'file',
    'build-context': 'file',
    secret: 'file',
    ssh: ['default'],
  },
  examples: `
# The Dockerfile in this folder
wherry build -t app .
# Another one, another stage, an argument
wherry build -f docker/web.Dockerfile --target web --build-arg VERSION=2 -t web .
# What is wrong with it, without building
wherry build --check .
# A secret for one step: RUN --mount=type=secret,id=token …
wherry build --secret id=token,src=$HOME/.token .
# Files instead of an image, into the folder out
wherry build --target binaries -o out .
# From a repository, and to a registry
wherry build --push -t registry.example/app https://github.com/me/app.git#main
# Two lines, no context
printf 'FROM busybox\\nRUN echo hi > /hi\\n' | wherry build -t hi -
# After a step failed: a shell in the state before it
wherry debug`,
  async run(session, { flags, args }) {
    const mode = progressMode(session, flags);
    try {
      checkResultFile(flags.string('iidfile'));
      checkResultFile(flags.string('metadata-file'));
      parseCall(flags);
      using place = await findPlace(args[0]!, flags.string('file'), session.in);
      return await build(session, flags, place, mode);
    } catch (error) {
      if (error instanceof Exit || error instanceof UsageFault) throw error;
      session.err.write(failureText(session, error));
      session.err.write(await debugAdvice(session, error));
      return error instanceof SolveFault && error.isCanceled ? interrupted : 1;
    }
  },
};

function progressMode(session: Session, flags: Flags): ProgressMode {
  const asked = flags.changed('progress') ? flags.string('progress') : (session.env['BUILDKIT_PROGRESS'] ?? 'auto');
  if (!progressModes.includes(asked as (typeof progressModes)[number])) {
    throw new Exit(1, `ERROR: invalid progress mode ${asked}: use one of ${progressModes.join(', ')}`);
  }
  if (flags.bool('quiet')) {
    if (flags.changed('progress') && asked !== 'auto' && asked !== 'quiet') {
      throw new Exit(1, `ERROR: progress=${asked} and quiet cannot be used together`);
    }
    return 'quiet';
  }
  if (asked === 'none' || asked === 'quiet') return 'quiet';
  if (asked === 'tty' && !session.err.isTerminal) {
    throw new Exit(1, 'ERROR: failed to get console: standard error is no terminal. Use --progress plain');
  }
  if (asked === '' || asked === 'auto') return session.err.isTerminal ? 'tty' : 'plain';
  return asked as ProgressMode;
}

async function build(session: Session, flags: Flags, place: BuildPlace, mode: ProgressMode): Promise<number> {
  const client = await session.client();
  const connect: Connect = (door, headers) => client.caller.upgrade(door, 'h2c', headers);
  const { ask, loans, outputs, notices } = await prepareBuild(session, flags, place, connect);
  for (const notice of notices) session.err.write(`WARNING: ${notice}\n`);
  const { context } = await session.endpoint();
  const isColored = session.err.isTerminal && (session.env['NO_COLOR'] ?? '') === '';
  const display = openDisplay(mode, session.err, { builder: `wherry:${context}`, isColored });
  const interrupt = onInterrupt();
  let answer: BuildAnswer;
  try {
    answer = await askBuild(connect, ask, loans, {
      onStatus: (status) => display.update(status),
      signal: interrupt.signal,
    });
    tagExports(ask.cacheExports, answer.exported);
    for (const { layout } of outputs) if (layout !== undefined) tagLayout(layout, answer.exported);
    for (const name of pushedNames(outputs))
      await pushBuilt(session, name, { onStatus: (status) => display.update(status), signal: interrupt.signal });
  } finally {
    interrupt[Symbol.dispose]();
    display.stop();
    if (mode === 'plain' || mode === 'tty') session.err.write(warningsText(display.trace.warnings, isColored));
  }
  return report(session, flags, place, answer, outputs);
}

function report(
  session: Session,
  flags: Flags,
  place: BuildPlace,
  answer: BuildAnswer,
  outputs: readonly Output[],
): number {
  const image = imageIdOf(answer);
  const iidfile = flags.string('iidfile');
  const metadataFile = flags.string('metadata-file');
  if (iidfile !== '' && image !== undefined) writeResultFile(iidfile, image);
  if (metadataFile !== '') writeResultFile(metadataFile, metadataText(answer));
  const call = parseCall(flags);
  if (call !== undefined) {
    const { out, err, code } = answerText(call, answer, place.dockerfile);
    session.out.write(out);
    session.err.write(err);
    return code;
  }
  // An archive on standard output must not end in it.
  const isTaken = outputs.some(({ target }) => target !== undefined && 'standardOutput' in target);
  if (flags.bool('quiet') && image !== undefined && !isTaken) session.out.write(`${image}\n`);
  return 0;
}

function pushedNames(outputs: readonly Output[]): string[] {
  const names = outputs
    .filter(({ isPushed }) => isPushed)
    .flatMap(({ attributes }) => (attributes.get('name') ?? '').split(','));
  return [...new Set(names)];
}

/** Ctrl-C cancels, and says so; once more leaves at once. */
function onInterrupt(): { signal: AbortSignal } & Disposable {
  const cancel = new AbortController();
  const stop = (): void => {
    if (cancel.signal.aborted) process.exit(interrupted);
    cancel.abort(new Exit(interrupted, 'CANCELED: the push was stopped; the image is here.'));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    signal: cancel.signal,
    [Symbol.dispose]: () => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
}
