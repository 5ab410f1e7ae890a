/** `wherry compose build`. */
import { type ImageBuild, imageNameOf, reach, withBuildContexts } from '../../compose/index.ts';
import { Fault } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';
import { buildWords } from '../compose/build-words.ts';
import { imageDoor } from '../compose/images.ts';
import { cancelable, Compose } from '../compose/open.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
      --build-arg stringArray   Set build-time variables for services
      --builder string          Set builder to use
      --check                   Check build configuration
      --dry-run                 Print what would be done and why, and do nothing
  -m, --memory bytes            Set memory limit for the build container. Not supported by BuildKit.
      --no-cache                Do not use cache when building the image
      --print                   Print equivalent build commands
      --provenance string       Add a provenance attestation
      --pull                    Always attempt to pull a newer version of the image
      --push                    Push service images
  -q, --quiet                   Suppress the build output
      --sbom string             Add a SBOM attestation
      --ssh string              Set SSH authentications used when building service images. (use 'default' for using your default SSH Agent)
      --with-dependencies       Also build dependencies (transitively)
`,
  hidden: `
      --compress
      --force-rm
      --no-rm
      --parallel
`,
  completes: ['service'],
  examples: `
# All of them, side by side
wherry compose build
# One, with an argument, from newer bases
wherry compose build --pull --build-arg VERSION=2 web`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const builder = flags.string('builder');
    if (builder !== '' && builder !== 'default')
      throw new Fault(
        'invalid',
        `no builder ${JSON.stringify(builder)} found: the daemon is the builder; choose another daemon with -H or --context`,
      );
    for (const name of ['provenance', 'sbom'])
      if (!['', 'false'].includes(flags.string(name)))
        throw new Fault('not-implemented', `Cannot attest (--${name}): attestations are not made here; leave it out`);
    const ssh = flags.optional('ssh');
    if (ssh !== undefined && ssh !== 'default' && !ssh.includes('='))
      throw new Exit(1, `invalid ssh key ${JSON.stringify(ssh)}`);
    const loaded = compose.project(args);
    const names = args.length > 0 ? args : Object.keys(loaded.services);
    const chosen = withBuildContexts(loaded, [...reach(loaded, names, flags.bool('with-dependencies'))]);
    const project = compose.project(chosen, { dependencies: true });
    const builds = chosen.flatMap((name): ImageBuild[] => {
      const service = project.services[name];
      if (service?.build === undefined) return [];
      return [{ service, image: imageNameOf(project, service), because: 'it was asked for' }];
    });
    const extras = {
      args: flags.list('build-arg'),
      noCache: flags.bool('no-cache'),
      pull: flags.bool('pull'),
      push: flags.bool('push'),
      ssh: ssh === undefined ? [] : [ssh === '' ? 'default' : ssh],
      memory: flags.optional('memory'),
    };
    if (builds.length === 0) {
      compose.warn('No services to build');
      return 0;
    }
    if (flags.bool('print') || compose.isDryRun) {
      for (const { service } of builds)
        session.out.write(`wherry build ${buildWords(project, service, extras, undefined).map(quoted).join(' ')}\n`);
      return 0;
    }
    if (flags.bool('check'))
      return checkAll(session, builds, (service) => buildWords(project, service, extras, undefined));
    return cancelable(async (signal) => {
      await imageDoor(compose, { quietPull: false, quietBuild: flags.bool('quiet'), extras, signal }).build(
        builds,
        project,
      );
    });
  },
};

async function checkAll(
  session: Parameters<Command['run']>[0],
  builds: readonly ImageBuild[],
  words: (service: ImageBuild['service']) => string[],
): Promise<number> {
  const { command: buildCommand } = await import('./build.ts');
  const { delegate } = await import('../compose/delegate.ts');
  let worst = 0;
  for (const { service } of builds)
    worst = Math.max(worst, await delegate(session, buildCommand, ['--check', ...words(service)], 'compose build'));
  return worst;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
