/** `wherry system verify`: Wherry's own; whether what is on disk is what should be, and mending it. */
import type { VerifyFinding, VerifySummary } from '../../api/index.ts';
import { ApiFault } from '../../client/index.ts';
import { Fault } from '../../std/index.ts';
import { noArgs, type Command } from '../command.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { verificationText } from '../output/verification.ts';
import { notWherry } from '../wherry-only.ts';

export const command: Command = {
  use: '[OPTIONS]',
  long: `Compares images, layers, containers, volumes, networks and their records with what is on disk, and tells what is missing,
damaged or nobody's. Ends with 1 when something is wrong. --repair deletes what is nobody's and of the engine's own making,
fetches damaged blobs again and unpacks damaged layers again; it never deletes volumes, files of containers, or logs.`,
  flags: `
      --format string   Format output: "json" prints everything as one JSON value
      --quick           Do not read contents: only names, records and sizes
  -q, --quiet           Print nothing; the exit code tells
      --repair          Mend what can be mended
`,
  arity: noArgs,
  examples: `
# Is every byte accounted for, and as it should be?
wherry system verify
# Names and records only, in a moment
wherry system verify --quick
# After a full disk or a power cut
wherry system verify --repair`,
  async run(session, { flags }) {
    const format = flags.string('format');
    if (format !== '' && format !== 'json')
      throw new Fault('invalid', `invalid --format "${format}": the only format is json`);
    const client = await session.client();
    const progress = new ProgressLine(session.err);
    const findings: VerifyFinding[] = [];
    const notes: string[] = [];
    let summary: VerifySummary | undefined;
    const options = { quick: flags.bool('quick'), repair: flags.bool('repair') };
    try {
      for await (const line of client.system.verify(options)) {
        if (line.error !== undefined) throw new Fault('internal', line.error);
        if (line.Progress !== undefined) progress.show(progressText(line.Progress));
        if (line.Finding !== undefined) findings.push(line.Finding);
        if (line.Note !== undefined) notes.push(line.Note);
        summary = line.Summary ?? summary;
      }
    } catch (error) {
      if (error instanceof ApiFault && error.message === 'page not found') throw notWherry('verify the store');
      throw error;
    } finally {
      progress.clear();
    }
    if (summary === undefined) throw new Fault('internal', 'the daemon ended before all was verified');
    if (format === 'json')
      session.out.write(`${JSON.stringify({ Findings: findings, Notes: notes, Summary: summary })}\n`);
    else if (!flags.bool('quiet')) {
      const columns = session.out.isTerminal ? session.out.columns : undefined;
      session.out.write(verificationText({ findings, notes, summary, ...options }, columns));
    }
    return summary.Problems > summary.Repaired ? 1 : 0;
  },
};

function progressText({ Step, Done, Total }: { Step: string; Done: number; Total: number }): string {
  return Total === 0 ? `Verifying ${Step}` : `Verifying ${Step}: ${Math.trunc((Done / Total) * 100)}%`;
}
