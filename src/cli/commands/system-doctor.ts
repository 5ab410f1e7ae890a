/** `wherry system doctor`: Wherry's own; what of this machine stands in the way of containers, and how to mend it. */
import { Fault } from '../../std/index.ts';
import { type Command } from '../command.ts';

export const command: Command = {
  use: '[OPTIONS] [CHECK...]',
  long: `Looks at the kernel, the programs, the network, the disk and the daemon of this machine, and changes nothing. Every problem comes
with what to type. Works without a daemon, and as any user; root sees more. Ends with 1 when something fails; warnings do not count.`,
  flags: `
      --format string   Format output: "json" prints one JSON value
`,
  arity: { min: 0, max: Number.POSITIVE_INFINITY },
  examples: `
# Can containers run here? What should be mended?
wherry system doctor
# The network only
wherry system doctor nft bridge forwarding firewall addresses resolvers
# For a script: the checks that failed
wherry system doctor --format json | jq -r '.Checks[] | select(.State == "fail") | .Id'`,
  async run(session, { args, flags }) {
    const format = flags.string('format');
    if (format !== '' && format !== 'json')
      throw new Fault('invalid', `invalid --format "${format}": the only format is json`);
    const { checks } = await import('../doctor/checks.ts');
    const known = checks.map(({ id }) => id);
    const unknown = args.find((name) => !known.includes(name));
    if (unknown !== undefined) throw new Fault('invalid', `no such check: ${unknown}. There are: ${known.join(', ')}`);
    const { thisHost } = await import('../doctor/this-host.ts');
    const { runChecks } = await import('../doctor/check.ts');
    const { jsonReport, reportText } = await import('../doctor/report.ts');
    const wanted = args.length === 0 ? checks : checks.filter(({ id }) => args.includes(id));
    const results = await runChecks(wanted, await thisHost(session));
    const { isTerminal, columns } = session.out;
    const colour = isTerminal && (session.env['NO_COLOR'] ?? '') === '';
    session.out.write(
      format === 'json'
        ? jsonReport(results)
        : reportText(results, { columns: isTerminal ? columns : undefined, colour }),
    );
    return results.some(({ state }) => state === 'fail') ? 1 : 0;
  },
};
