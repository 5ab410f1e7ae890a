/** `wherry compose create`: containers that are not started. */
import { atLeast, type Command } from '../command.ts';
import { converge } from '../compose/converge.ts';
import { applyCreateFlags } from '../compose/flags.ts';
import { cancelable, Compose } from '../compose/open.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
      --build               Build images before starting containers
      --dry-run             Print what would be done and why, and do nothing
      --force-recreate      Recreate containers even if their configuration and image haven't changed
      --no-build            Don't build an image, even if it's policy
      --no-recreate         If containers already exist, don't recreate them. Incompatible with --force-recreate.
      --pull string         Pull image before running ("always"|"missing"|"never"|"build") (default "policy")
      --quiet-pull          Pull without printing progress information
      --remove-orphans      Remove containers for services not defined in the Compose file
      --scale stringArray   Scale SERVICE to NUM instances. Overrides the scale setting in the Compose file if present.
  -y, --yes                 Assume "yes" as answer to all prompts and run non-interactively
`,
  completes: ['service'],
  examples: `
# All is there, nothing runs
wherry compose create
wherry compose start`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    if (flags.bool('build') && flags.bool('no-build')) throw new Exit(1, '--build and --no-build are incompatible');
    if (flags.bool('force-recreate') && flags.bool('no-recreate'))
      throw new Exit(1, '--force-recreate and --no-recreate are incompatible');
    const project = applyCreateFlags(compose.project(args), flags);
    return cancelable((signal) => converge(compose, project, { start: false, signal }));
  },
};
