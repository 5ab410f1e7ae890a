/** `wherry push`. */
import { exactly, type Command } from '../command.ts';
import { Fault } from '../../std/index.ts';
import { showProgress } from '../output/progress.ts';
import {
  authHeaderFor,
  canonicalRepository,
  familiarRepository,
  parseImageName,
  registryOf,
} from '../../context/index.ts';
import { platformJson } from '../registry/platform.ts';

export const command: Command = {
  use: '[OPTIONS] NAME[:TAG]',
  flags: `
  -a, --all-tags                Push all tags of an image to the repository
      --disable-content-trust   Skip image signing (default true)
      --platform string         Push a platform-specific manifest as a single-platform image to the registry.
                                Image index won't be pushed, meaning that other manifests, including attestations won't be preserved.
                                'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)
  -q, --quiet                   Suppress verbose output
`,
  arity: exactly(1),
  completes: ['image'],
  examples: `
# To a registry, after 'wherry login'
wherry tag app registry.example.com/app
wherry push registry.example.com/app`,
  async run(session, { flags, args: [given = ''] }) {
    const name = parseImageName(given);
    const all = flags.bool('all-tags');
    const quiet = flags.bool('quiet');
    if (all && name.tag !== undefined) throw new Fault('invalid', "tag can't be used with --all-tags/-a");
    if (!all && name.tag === undefined && !quiet) session.out.write('Using default tag: latest\n');
    const tag = all ? undefined : (name.tag ?? 'latest');
    const client = await session.client();
    const platform = flags.optional('platform');
    const lines = client.images.push(
      familiarRepository(name),
      { tag, platform: platform === undefined ? undefined : platformJson(platform) },
      await authHeaderFor(session, registryOf(name)),
    );
    await showProgress(lines, quiet ? undefined : session.out);
    if (quiet) session.out.write(`${canonicalRepository(name)}${tag === undefined ? '' : `:${tag}`}\n`);
  },
};
