/** `wherry load`: images from an archive. */
import { createReadStream, statSync } from 'node:fs';
import { Fault, messageOf } from '../../std/index.ts';
import { noArgs, type Command } from '../command.ts';
import { showProgress } from '../output/progress.ts';
import { platformJson } from '../registry/platform.ts';
import type { Session } from '../session.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
  -i, --input string      Read from tar archive file, instead of STDIN
      --platform string   Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")
  -q, --quiet             Suppress the load output
`,
  arity: noArgs,
  examples: `
# What 'wherry save' wrote
wherry load -i images.tar
# From another machine
ssh host docker save nginx | wherry load`,
  async run(session, { flags }) {
    const path = flags.string('input');
    const quiet = flags.bool('quiet');
    const platform = flags.optional('platform');
    const client = await session.client();
    const lines = client.images.load(path === '' ? fromInput(session) : fromFile(path), {
      quiet: quiet || !session.out.isTerminal,
      platform: platform === undefined ? undefined : platformJson(platform),
    });
    await showProgress(lines, session.out);
  },
};

function fromInput(session: Session): AsyncIterable<Uint8Array> {
  if (session.in.isTerminal) throw new Fault('invalid', 'requested load from stdin, but stdin is empty');
  return session.in.read();
}

function fromFile(path: string): AsyncIterable<Uint8Array> {
  try {
    statSync(path);
  } catch (error) {
    throw new Fault('not-found', `open ${path}: no such file or directory`, { cause: messageOf(error) });
  }
  return createReadStream(path, { highWaterMark: 1 << 18 }) as AsyncIterable<Uint8Array>;
}
