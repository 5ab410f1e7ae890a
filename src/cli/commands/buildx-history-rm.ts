/** `wherry buildx history rm`. */
import { askHistory, forgetBuilds } from '../../buildkit/index.ts';
import { connectTo, findBuild } from '../build/past-builds.ts';
import { atLeast, type Command } from '../command.ts';
import { UsageFault } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS] [REF...]',
  long: 'Forgets builds. Their images and the build cache stay.',
  flags: `
      --all              Remove all build records
      --builder string   Override the configured builder instance
`,
  arity: atLeast(0),
  examples: `
# One
wherry buildx history rm 4f0c
# All but those that go on
wherry buildx history rm --all`,
  async run(session, { flags, args }) {
    const isAll = flags.bool('all');
    if (isAll === args.length > 0)
      throw new UsageFault(isAll ? 'cannot use --all with build ids' : 'no build id, and no --all');
    const connect = connectTo(await session.client());
    const found = isAll
      ? (await askHistory(connect, { filters: [] })).filter(({ completedAt }) => completedAt !== undefined)
      : await Promise.all(args.map((name) => findBuild(connect, name)));
    const refs = found.map(({ ref }) => ref);
    await forgetBuilds(connect, refs);
    session.out.write(refs.map((ref) => `${ref}\n`).join(''));
  },
};
