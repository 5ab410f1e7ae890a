/** `wherry pull`. */
import { exactly, type Command } from '../command.ts';
import { pullImage } from '../registry/pull.ts';
import { canonicalRepository, parseImageName } from '../../context/index.ts';
import { Fault } from '../../std/index.ts';

export const command: Command = {
  use: '[OPTIONS] NAME[:TAG|@DIGEST]',
  flags: `
  -a, --all-tags                Download all tagged images in the repository
      --bootstrap               Make a base image here if its registry cannot be reached
      --disable-content-trust   Skip image verification (default true)
      --platform string         Set platform if server is multi-platform capable
  -q, --quiet                   Suppress verbose output
`,
  arity: exactly(1),
  completes: ['image'],
  examples: `
# The newest of a repository
wherry pull nginx
# One version, for another kind of machine
wherry pull --platform linux/arm64 nginx:1.29`,
  async run(session, { flags, args: [given = ''] }) {
    const name = parseImageName(given);
    const all = flags.bool('all-tags');
    if (all && (name.tag !== undefined || name.digest !== undefined)) {
      throw new Fault('invalid', "tag can't be used with --all-tags/-a");
    }
    const quiet = flags.bool('quiet');
    if (!all && name.tag === undefined && name.digest === undefined && !quiet)
      session.out.write('Using default tag: latest\n');
    await pullImage(session, given, {
      platform: flags.string('platform'),
      quiet,
      all,
      bootstrap: flags.bool('bootstrap'),
      out: session.out,
    });
    const suffix = name.digest !== undefined ? `@${name.digest}` : all ? '' : `:${name.tag ?? 'latest'}`;
    session.out.write(`${canonicalRepository(name)}${suffix}\n`);
  },
};
