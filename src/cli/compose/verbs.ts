/** Verbs that plan a few steps over a project's containers and do them. */
import { Applier, type Container, type Project, type Step } from '../../compose/index.ts';
import { dryRunText } from './dry-run.ts';
import { cancelable, type Compose } from './open.ts';

/** Does them with progress, or only says what they are. */
export function doSteps(
  compose: Compose,
  project: Project,
  options: { title: string; steps: readonly Step[]; containers: readonly Container[] },
): Promise<number> {
  return cancelable(async (signal) => {
    const { title, steps, containers } = options;
    if (compose.isDryRun) {
      compose.session.out.write(dryRunText({ steps }));
      return 0;
    }
    const board = compose.board(title);
    try {
      const context = await compose.context(project, board, signal);
      await new Applier(context, { images: new Map(), containers, timeout: undefined }).run(steps);
    } finally {
      board.stop();
    }
    return 0;
  });
}
