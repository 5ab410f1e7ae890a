/** `wherry compose pull`. */
import { localImages, type Project, type Pull, selectServices } from '../../compose/index.ts';
import { gather, messageOf } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';
import { pullOne } from '../compose/images.ts';
import type { Board } from '../compose/board.ts';
import { cancelable, Compose } from '../compose/open.ts';
import type { Flags } from '../flag/parse.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
      --dry-run                Print what would be done and why, and do nothing
      --ignore-buildable       Ignore images that can be built
      --ignore-pull-failures   Pull what it can and ignores images with pull failures
      --include-deps           Also pull services declared as dependencies
      --policy string          Apply pull policy ("missing"|"always")
  -q, --quiet                  Pull without printing progress information
`,
  hidden: `
      --no-parallel   !it is ignored
      --parallel      !it is ignored
`,
  completes: ['service'],
  completesFlags: { policy: ['missing', 'always'] },
  examples: `
# All that has a newer version
wherry compose pull
wherry compose up -d`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const loaded = compose.project(args);
    const project = flags.bool('include-deps') ? loaded : selectServices(loaded, args, { dependencies: false });
    return cancelable((signal) => pullProject(compose, project, signal));
  },
};

async function pullProject(compose: Compose, project: Project, signal: AbortSignal): Promise<number> {
  const { flags, session } = compose;
  const board = compose.board('Pulling', { quiet: flags.bool('quiet') });
  const failures: string[] = [];
  try {
    const pulls = await choose(project, flags, board, compose);
    if (compose.isDryRun) {
      session.out.write(pulls.map(({ image, because }) => `pull  Image ${image}  because ${because}\n`).join(''));
      return 0;
    }
    await gather(
      pulls.map((pull) => async (stop) => {
        try {
          await pullOne(compose, pull, board, flags.bool('quiet'), stop);
        } catch (error) {
          if (!pull.isBuildable && !flags.bool('ignore-pull-failures')) throw error;
          failures.push(`${pull.service}: ${messageOf(error)}`);
        }
      }),
      { limit: compose.limit(project), signal },
    );
  } finally {
    board.stop();
  }
  const mustBuild = failures.map((each) => each.split(':')[0]!);
  if (failures.length > 0 && !flags.bool('ignore-pull-failures'))
    compose.warn(
      `Some service image(s) must be built from source by running:\n    wherry compose build ${mustBuild.join(' ')}`,
    );
  return 0;
}

/** What is pulled, and why the rest is not. @throws Exit for a policy there is not */
async function choose(project: Project, flags: Flags, board: Board, compose: Compose): Promise<Pull[]> {
  const asked = flags.string('policy');
  if (asked !== '' && asked !== 'missing' && asked !== 'always')
    throw new Exit(1, `invalid --policy ${JSON.stringify(asked)}: use missing or always`);
  const here = await localImages(await compose.session.client(), project);
  const pulls = new Map<string, Pull>();
  for (const service of Object.values(project.services)) {
    const skip = (text: string): void => board.progress({ id: service.name, state: 'done', text });
    const { image, build, provider } = service;
    const policy = asked !== '' && image !== undefined ? asked : service.pull_policy;
    if (provider !== undefined) continue;
    if (image === undefined) skip('Skipped - No image to be pulled');
    else if (policy === 'never' || policy === 'build') skip('Skipped');
    else if ((policy === 'missing' || policy === 'if_not_present') && here.has(image))
      skip('Skipped - Image is already present locally');
    else if (build !== undefined && flags.bool('ignore-buildable')) skip('Skipped - Image can be built');
    else if (pulls.has(image)) skip(`Skipped - Image is already being pulled by ${pulls.get(image)!.service}`);
    else {
      const platform = service.platform || project.environment['DOCKER_DEFAULT_PLATFORM'] || undefined;
      pulls.set(image, {
        image,
        service: service.name,
        platform,
        because: 'it was asked for',
        isBuildable: build !== undefined,
      });
    }
  }
  return [...pulls.values()];
}
