/** `wherry compose up`: what the files say comes to be, and its output is shown until it ends or Ctrl-C is typed. */
import { atLeast, type Command } from '../command.ts';
import { attachedUp } from '../compose/attached.ts';
import { converge } from '../compose/converge.ts';
import { applyCreateFlags } from '../compose/flags.ts';
import { cancelable, Compose } from '../compose/open.ts';
import type { Flags } from '../flag/parse.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
      --abort-on-container-exit      Stops all containers if any container was stopped. Incompatible with -d
      --abort-on-container-failure   Stops all containers if any container exited with failure. Incompatible with -d
      --always-recreate-deps         Recreate dependent containers. Incompatible with --no-recreate.
      --attach stringArray           Restrict attaching to the specified services. Incompatible with --attach-dependencies.
      --attach-dependencies          Automatically attach to log output of dependent services
      --build                        Build images before starting containers
  -d, --detach                       Detached mode: Run containers in the background
      --dry-run                      Print what would be done and why, and do nothing
      --exit-code-from string        Return the exit code of the selected service container. Implies --abort-on-container-exit
      --force-recreate               Recreate containers even if their configuration and image haven't changed
      --menu                         Enable interactive shortcuts when running attached. Incompatible with --detach.
      --no-attach stringArray        Do not attach (stream logs) to the specified services
      --no-build                     Don't build an image, even if it's policy
      --no-color                     Produce monochrome output
      --no-deps                      Don't start linked services
      --no-log-prefix                Don't print prefix in logs
      --no-recreate                  If containers already exist, don't recreate them. Incompatible with --force-recreate.
      --no-start                     Don't start the services after creating them
      --pull string                  Pull image before running ("always"|"missing"|"never") (default "policy")
      --quiet-build                  Suppress the build output
      --quiet-pull                   Pull without printing progress information
      --remove-orphans               Remove containers for services not defined in the Compose file
  -V, --renew-anon-volumes           Recreate anonymous volumes instead of retrieving data from the previous containers
      --scale stringArray            Scale SERVICE to NUM instances. Overrides the scale setting in the Compose file if present.
  -t, --timeout int                  Use this timeout in seconds for container shutdown when attached or when containers are already running
      --timestamps                   Show timestamps
      --wait                         Wait for services to be running|healthy. Implies detached mode.
      --wait-timeout int             Maximum duration in seconds to wait for the project to be running|healthy
  -w, --watch                        Watch source code and rebuild/refresh containers when files are updated.
  -y, --yes                          Assume "yes" as answer to all prompts and run non-interactively
`,
  hidden: `
      --y   =yes
`,
  completes: ['service'],
  completesFlags: {
    pull: ['always', 'missing', 'never'],
    attach: 'service',
    'no-attach': 'service',
    'exit-code-from': 'service',
  },
  examples: `
# Everything, in the background, and back when it is healthy
wherry compose up -d --wait
# What would be done, and why
wherry compose up --dry-run
# One service with what it needs, its image built anew
wherry compose up -d --build web
# Three workers
wherry compose up -d --scale worker=3
# Tests: ends with the exit code of the service test
wherry compose up --exit-code-from test`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    checkFlags(flags);
    const loaded = compose.project(args, flags.bool('no-deps') ? { dependencies: false } : {});
    const project = applyCreateFlags(loaded, flags);
    if (Object.keys(project.services).length === 0) throw new Exit(1, 'no service selected');
    const from = flags.string('exit-code-from');
    if (from !== '' && !(from in project.services)) throw new Exit(1, `no such service: ${from}`);
    const isDetached = flags.bool('detach') || flags.bool('wait') || flags.bool('no-start') || compose.isDryRun;
    if (!isDetached) return attachedUp(compose, project);
    return cancelable((signal) => converge(compose, project, { start: !flags.bool('no-start'), signal }));
  },
};

/** In docker compose's words. @throws Exit */
function checkFlags(flags: Flags): void {
  const on = (name: string): boolean => flags.bool(name);
  const cascades =
    on('abort-on-container-exit') || (flags.string('exit-code-from') !== '' && !on('abort-on-container-failure'));
  const attaches = on('attach-dependencies') || flags.list('attach').length > 0;
  const refuse = (wrong: boolean, text: string): void => {
    if (wrong) throw new Exit(1, text);
  };
  refuse(
    cascades && on('abort-on-container-failure'),
    '--abort-on-container-failure cannot be combined with --abort-on-container-exit',
  );
  refuse(
    on('wait') && (attaches || cascades),
    '--wait cannot be combined with --abort-on-container-exit, --attach or --attach-dependencies',
  );
  refuse(on('build') && on('no-build'), '--build and --no-build are incompatible');
  refuse(
    (on('detach') || on('wait')) && (attaches || cascades || on('abort-on-container-failure') || on('watch')),
    `--${on('wait') ? 'wait' : 'detach'} cannot be combined with --abort-on-container-exit, --abort-on-container-failure, --attach, --attach-dependencies or --watch`,
  );
  refuse(on('renew-anon-volumes') && on('no-recreate'), '--no-recreate and --renew-anon-volumes are incompatible');
  refuse(on('force-recreate') && on('no-recreate'), '--force-recreate and --no-recreate are incompatible');
  refuse(on('always-recreate-deps') && on('no-recreate'), '--always-recreate-deps and --no-recreate are incompatible');
  refuse(on('no-build') && on('watch'), '--no-build and --watch are incompatible');
  refuse(
    flags.list('attach').length > 0 && on('attach-dependencies'),
    'cannot combine --attach and --attach-dependencies',
  );
}
