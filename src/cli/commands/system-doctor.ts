/** `wherry system doctor`: Wherry's own; whether this machine has what an engine needs, and how to mend what it lacks. */
import { Fault } from '../../std/index.ts';
import type { Command } from '../command.ts';
import { checks } from '../doctor/checks.ts';
import { examine, type Result, tally } from '../doctor/examine.ts';
import { openPatient } from '../doctor/open-patient.ts';
import { reportText } from '../doctor/report.ts';
import { tableWidth } from '../output/fit-table.ts';

const longest = Math.max(...checks.map(({ id }) => id.length));

export const command: Command = {
  use: '[OPTIONS] [CHECK...]',
  long: `Looks at the kernel, control groups, runtimes, networks, firewalls, disk, sockets, and at Docker and Podman beside, and says of each
whether it will do, what was found, and the command that mends it. Nothing is changed, and no daemon needs to run. Root sees more
than others. Ends with 1 when something fails; warnings are told and end with 0.

Checks:
${checks.map(({ id, title }) => `  ${id.padEnd(longest)}  ${title}`).join('\n')}`,
  flags: `
      --format string   Format output: "json" prints everything as one JSON value
`,
  arity: { min: 0, max: Number.POSITIVE_INFINITY },
  completes: ['check'],
  completesFlags: { format: ['json'] },
  examples: `
# Why does it not work?
sudo wherry system doctor
# Only what containers' connections depend on
sudo wherry system doctor nftables forwarding firewall addresses dns
# In a script: what fails, and what mends it
wherry system doctor --format json | jq '.Checks[] | select(.State == "fail")'`,
  async run(session, { flags, args }) {
    const format = flags.string('format');
    if (format !== '' && format !== 'json')
      throw new Fault('invalid', `invalid --format "${format}": the only format is json`);
    const unknown = args.filter((id) => !checks.some((check) => check.id === id));
    if (unknown.length > 0)
      throw new Fault(
        'not-found',
        `There is no check "${unknown.join('", "')}"; there are: ${checks.map(({ id }) => id).join(', ')}`,
      );
    const chosen = args.length === 0 ? checks : checks.filter(({ id }) => args.includes(id));
    const results = await examine(chosen, await openPatient(session));
    if (format === 'json') session.out.write(`${JSON.stringify(asJson(results))}\n`);
    else {
      const columns = tableWidth(session.out);
      const isColored = session.out.isTerminal && !session.env['NO_COLOR'];
      session.out.write(reportText(results, { columns, isColored }));
    }
    return tally(results).failures > 0 ? 1 : 0;
  },
};

function asJson(results: readonly Result[]): object {
  const { ok: Ok, warnings: Warnings, failures: Failures, skipped: Skipped } = tally(results);
  const Checks = results.map(({ id, title, state, found, mend }) => ({
    Id: id,
    Title: title,
    State: state,
    Found: found,
    Mend: mend,
  }));
  return { Checks, Ok, Warnings, Failures, Skipped };
}
