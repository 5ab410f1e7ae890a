/** `wherry info`. */
import { noArgs, type Command } from '../command.ts';
import type { SystemInfo } from '../../api/index.ts';
import { explain } from '../explain.ts';
import { infoText } from '../output/info-text.ts';
import { Exit } from '../usage-fault.ts';
import { packageVersion } from '../version.ts';
import { valueFormatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
  -f, --format string   ${valueFormatHelp}
`,
  arity: noArgs,

  examples: `
# How many containers run
wherry info -f '{{.ContainersRunning}}'`,
  async run(session, { flags }) {
    const format = flags.string('format');
    const { context } = await session.endpoint();
    let info: SystemInfo | undefined;
    let failure: unknown;
    try {
      info = await (await session.client()).system.info();
    } catch (error) {
      failure = error;
    }
    const own = {
      Debug: session.options.debug,
      Version: packageVersion(),
      Context: context,
      Plugins: [],
      Warnings: null,
    };
    if (format === '') session.out.write(infoText(own, info));
    else {
      const whole = { ...info, ClientInfo: own };
      if (format === 'json') session.out.write(`${JSON.stringify(whole)}\n`);
      else {
        const { compileTemplate } = await import('../template/index.ts');
        const { typed } = await import('../output/typed-json.ts');
        session.out.write(`${compileTemplate(format).execute(typed('', whole))}\n`);
      }
    }
    if (failure !== undefined) throw new Exit(1, explain(failure));
    const warnings = (info?.['Warnings'] as string[] | null | undefined) ?? [];
    if (format === '') for (const warning of warnings) session.err.write(`${warning}\n`);
  },
};
