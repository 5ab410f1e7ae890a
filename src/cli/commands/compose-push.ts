/** `wherry compose push`: the images that services build. */
import { selectServices } from '../../compose/index.ts';
import { Fault, gather, messageOf } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';
import type { Board } from '../compose/board.ts';
import { cancelable, Compose } from '../compose/open.ts';
import { authHeaderFor, familiarRepository, parseImageName, registryOf } from '../../context/index.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
      --dry-run                Print what would be done and why, and do nothing
      --ignore-push-failures   Push what it can and ignores images with push failures
      --include-deps           Also push images of services declared as dependencies
  -q, --quiet                  Push without printing progress information
`,
  completes: ['service'],
  examples: `
# Build, then send to the registry
wherry compose build
wherry compose push`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const loaded = compose.project(args);
    const project = flags.bool('include-deps') ? loaded : selectServices(loaded, args, { dependencies: false });
    const board = compose.board('Pushing', { quiet: flags.bool('quiet') });
    const images: string[] = [];
    for (const { name, image, build } of Object.values(project.services)) {
      if (build === undefined || image === undefined) board.progress({ id: name, state: 'done', text: 'Skipped' });
      else images.push(image, ...(build.tags ?? []));
    }
    if (compose.isDryRun) {
      board.stop();
      session.out.write(images.map((image) => `push  Image ${image}  because it was asked for\n`).join(''));
      return 0;
    }
    return cancelable(async (signal) => {
      try {
        await gather(
          images.map((image) => async (stop) => {
            try {
              await pushOne(compose, image, board, stop);
            } catch (error) {
              if (!flags.bool('ignore-push-failures')) throw error;
            }
          }),
          { limit: compose.limit(project), signal },
        );
      } finally {
        board.stop();
      }
    });
  },
};

async function pushOne(compose: Compose, image: string, board: Board, signal: AbortSignal): Promise<void> {
  const name = parseImageName(image);
  const client = await compose.session.client();
  board.progress({ id: image, state: 'working', text: 'Pushing' });
  try {
    const auth = await authHeaderFor(compose.session, registryOf(name));
    const sent = new Map<string, { current: number; total: number }>();
    for await (const line of client.images.push(
      familiarRepository(name),
      { tag: name.tag ?? 'latest' },
      auth,
      signal,
    )) {
      const wrong = line.errorDetail?.message ?? line.error;
      if (wrong !== undefined) throw new Fault('internal', wrong);
      if (line.id === undefined || line.progressDetail?.total === undefined) continue;
      sent.set(line.id, { current: line.progressDetail.current ?? 0, total: line.progressDetail.total });
      const sum = (key: 'current' | 'total'): number => [...sent.values()].reduce((all, each) => all + each[key], 0);
      board.transfer(image, sum('current'), sum('total'));
    }
  } catch (error) {
    board.progress({ id: image, state: 'error', text: messageOf(error) });
    throw error;
  }
  board.progress({ id: image, state: 'done', text: 'Pushed' });
}
