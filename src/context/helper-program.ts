/** Programs that keep credentials: `docker-credential-NAME`, spoken to over standard input. */
import { Fault, messageOf, runProgram } from '../std/index.ts';

/** Runs `docker-credential-<helper>`. @returns undefined when it has nothing for that key. */
export async function askHelper(
  helper: string,
  verb: 'get' | 'store' | 'erase',
  input: string,
): Promise<string | undefined> {
  const program = `docker-credential-${helper}`;
  try {
    const result = await runProgram(program, [verb], { input });
    if (result.code === 0) return result.stdout;
    const said = `${result.stdout}${result.stderr}`.trim();
    if (/credentials not found/.test(said)) return undefined;
    throw new Fault('unavailable', `error getting credentials - err: exit status ${result.code}, out: \`${said}\``);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('unavailable', `error getting credentials - err: exec: "${program}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}
