/** `wherry version`. */
import { noArgs, type Command } from '../command.ts';
import type { SystemVersion } from '../../api/index.ts';
import { latestVersion } from '../../api/index.ts';
import { explain } from '../explain.ts';
import { alignColumns } from '../output/tabwriter.ts';
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
# The daemon's, for a script
wherry version -f '{{.Server.Version}}'`,
  async run(session, { flags }) {
    const format = flags.string('format');
    const { context } = await session.endpoint();
    let server: SystemVersion | undefined;
    let failure: unknown;
    let api = latestVersion;
    try {
      const client = await session.client();
      api = await client.apiVersion();
      server = await client.system.version();
    } catch (error) {
      failure = error;
    }
    const own = ownVersion(api, context);
    session.out.write(await versionText(format, own, server));
    if (failure !== undefined) throw new Exit(1, explain(failure));
  },
};

function ownVersion(api: number, context: string) {
  return {
    Version: packageVersion(),
    ApiVersion: `1.${api}`,
    DefaultAPIVersion: `1.${latestVersion}`,
    GitCommit: 'wherry',
    GoVersion: `node${process.version}`,
    Os: process.platform,
    Arch: process.arch === 'x64' ? 'amd64' : process.arch,
    BuildTime: '',
    Context: context,
  };
}

/** Templates name the field as Docker's Go type does. */
function goNames<T extends { ApiVersion: string }>(value: T): T & { APIVersion: string } {
  return { ...value, APIVersion: value.ApiVersion };
}

async function versionText(
  format: string,
  own: ReturnType<typeof ownVersion>,
  server: SystemVersion | undefined,
): Promise<string> {
  if (format === 'json') return `${JSON.stringify({ Client: own, Server: server ?? null })}\n`;
  if (format !== '') {
    const { compileTemplate } = await import('../template/index.ts');
    const { typed } = await import('../output/typed-json.ts');
    return `${compileTemplate(format).execute(typed('', { Client: goNames(own), Server: server === undefined ? null : goNames(server) }))}\n`;
  }
  const negotiated = own.ApiVersion === own.DefaultAPIVersion ? '' : ` (downgraded from ${own.DefaultAPIVersion})`;
  const lines = [
    'Client: Wherry',
    ` Version:\t${own.Version}`,
    ` API version:\t${own.ApiVersion}${negotiated}`,
    ` Node version:\t${process.version}`,
    ` OS/Arch:\t${own.Os}/${own.Arch}`,
    ` Context:\t${own.Context}`,
  ];
  if (server !== undefined) lines.push(...serverLines(server));
  return `${alignColumns(lines.join('\n'), { minWidth: 20, padding: 1 })}\n`;
}

function serverLines(server: SystemVersion): string[] {
  const name = server.Platform.Name;
  const lines = ['', `Server:${name === '' ? '' : ` ${name}`}`];
  for (const { Name, Version, Details } of server.Components) {
    lines.push(` ${Name}:`);
    if (Name === 'Engine') {
      lines.push(
        `  Version:\t${Version}`,
        `  API version:\t${Details['ApiVersion']} (minimum version ${Details['MinAPIVersion']})`,
        `  Go version:\t${Details['GoVersion']}`,
        `  Git commit:\t${Details['GitCommit']}`,
        `  Built:\t${Details['BuildTime']}`,
        `  OS/Arch:\t${Details['Os']}/${Details['Arch']}`,
        `  Experimental:\t${Details['Experimental']}`,
      );
    } else {
      lines.push(`  Version:\t${Version}`, `  GitCommit:\t${Details?.['GitCommit'] ?? ''}`);
    }
  }
  return lines;
}
