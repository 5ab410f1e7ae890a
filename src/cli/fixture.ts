/** For tests: the command line in this process, with its output caught, at a server with an engine in memory. */
import { createClient, parseEndpoint } from '../client/index.ts';
import { readConfigFile } from '../context/index.ts';
import { run } from './program.ts';
import type { Output } from './output/stream.ts';
import type { Session } from './session.ts';

export interface Outcome {
  code: number;
  out: string;
  err: string;
}

export class CaughtOutput implements Output {
  text = '';
  readonly isTerminal: boolean;
  readonly columns = 80;
  readonly rows = 24;

  constructor(isTerminal = false) {
    this.isTerminal = isTerminal;
  }

  write(text: string | Uint8Array): void {
    this.text += typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
  }
}

/** @param place a server's socket and a folder for configuration. */
export async function wherry(
  place: { path: string; folder: string },
  words: readonly string[],
  input = '',
  options: { terminal?: boolean } = {},
): Promise<Outcome> {
  const out = new CaughtOutput(options.terminal);
  const err = new CaughtOutput(options.terminal);
  const env = { HOME: place.folder, DOCKER_CONFIG: place.folder, DOCKER_HOST: `unix://${place.path}`, FOO: 'foo' };
  const lines = input.split('\n');
  const client = createClient({ endpoint: `unix://${place.path}` });
  const code = await run(
    words,
    (chosen): Session => ({
      env,
      out,
      err,
      in: {
        isTerminal: false,
        async *read() {
          if (input !== '') yield Buffer.from(input);
        },
        line: async () => lines.shift(),
        raw: () => () => {},
        stop: () => {},
      },
      options: chosen,
      endpoint: async () => ({ endpoint: parseEndpoint(`unix://${place.path}`), context: 'default', isDefault: false }),
      client: async () => client,
      config: () => readConfigFile(place.folder),
      now: () => Date.now(),
    }),
    env,
  );
  client.close();
  return { code, out: out.text, err: err.text };
}
