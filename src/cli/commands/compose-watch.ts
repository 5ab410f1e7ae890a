/** `wherry compose watch`. */
import type { Project } from '../../compose/index.ts';
import { atLeast, type Command } from '../command.ts';
import { converge } from '../compose/converge.ts';
import { withPlatform } from '../compose/flags.ts';
import { LogPrinter } from '../compose/log-printer.ts';
import { cancelable, Compose } from '../compose/open.ts';
import { watchOn } from '../compose/watching.ts';

export const command: Command = {
  use: '[SERVICE...]',
  arity: atLeast(0),
  flags: `
      --dry-run   Print what would be done and why, and do nothing
      --no-up     Do not build & start services before watching
      --prune     Prune dangling images on rebuild (default true)
      --quiet     hide build output
`,
  completes: ['service'],
  examples: `
# Builds and starts what 'develop' sections name, and keeps it as the files are
wherry compose watch`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const loaded = compose.project(args);
    const services = Object.entries(loaded.services).map(([name, service]) => [name, withPlatform(loaded, service)]);
    const project: Project = { ...loaded, services: Object.fromEntries(services) };
    return cancelable(async (signal) => {
      if (!flags.bool('no-up') || compose.isDryRun) {
        const code = await converge(compose, withBuilds(project), { start: true, signal });
        if (code !== 0 || compose.isDryRun) return code;
      }
      const printer = new LogPrinter(session.out, session.err, {
        isColored: false,
        hasPrefix: true,
        hasTimestamps: false,
      });
      const board = compose.board('Running', { quiet: true });
      await watchOn(compose, await compose.context(project, board, signal), printer, { quiet: flags.bool('quiet') });
      return 0;
    });
  },
};

/** What is watched is built first. */
function withBuilds(project: Project): Project {
  const services = Object.entries(project.services).map(([name, service]) => [
    name,
    service.build !== undefined && service.develop !== undefined ? { ...service, pull_policy: 'build' } : service,
  ]);
  return { ...project, services: Object.fromEntries(services) };
}
