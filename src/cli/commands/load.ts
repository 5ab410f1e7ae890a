/** `wherry load`: images from an archive. */
import { createReadStream, type Stats, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { ProgressMessage } from '../../api/index.ts';
import { Channel, Fault, messageOf } from '../../std/index.ts';
import { noArgs, type Command } from '../command.ts';
import { showProgress } from '../output/progress.ts';
import { watchTransfer } from '../output/transfer.ts';
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
# What 'wherry save' or 'docker save' wrote, compressed or not
wherry load -i images.tar.zst
# From another machine
ssh host docker save nginx | wherry load
# An OCI layout that another tool made
tar -C layout -c . | wherry load`,
  async run(session, { flags }) {
    const path = flags.string('input');
    const quiet = flags.bool('quiet') || !session.out.isTerminal;
    const platform = flags.optional('platform');
    const query = { quiet, platform: platform === undefined ? undefined : platformJson(platform) };
    const lines = new Channel<ProgressMessage>();
    const tell = (line: ProgressMessage): void => {
      if (!quiet) lines.push(line);
    };
    const body = path === '' ? fromInput(session) : fromFile(path, tell);
    const client = await session.client();
    const work = pass(client.images.load(body, query), lines);
    try {
      await showProgress(lines, session.out);
    } finally {
      await work;
    }
  },
};

async function pass(from: AsyncIterable<ProgressMessage>, to: Channel<ProgressMessage>): Promise<void> {
  try {
    for await (const line of from) to.push(line);
    to.close();
  } catch (error) {
    to.fail(error);
  }
}

function fromInput(session: Session): AsyncIterable<Uint8Array> {
  if (session.in.isTerminal) throw new Fault('invalid', 'requested load from stdin, but stdin is empty');
  return session.in.read();
}

function fromFile(path: string, tell: (line: ProgressMessage) => void): AsyncIterable<Uint8Array> {
  const stat = mustStat(path);
  if (stat.isDirectory()) {
    throw new Fault('invalid', `Cannot load ${path}: it is a directory. Pack it: tar -C ${path} -c . | wherry load`);
  }
  const bytes = createReadStream(path, { highWaterMark: 1 << 18 }) as AsyncIterable<Uint8Array>;
  const total = stat.isFile() ? stat.size : undefined;
  return watchTransfer(bytes, { id: basename(path), status: 'Reading', total }, tell);
}

/** @throws Fault not-found */
function mustStat(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    throw new Fault('not-found', `open ${path}: no such file or directory`, { cause: messageOf(error) });
  }
}
