/** `wherry save`. */
import { basename } from 'node:path';
import { humanSize } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';
import { chooseCompression, compressBytes } from '../output/compress.ts';
import { ProgressBoard } from '../output/progress.ts';
import { watchTransfer } from '../output/transfer.ts';
import { writeStream } from '../output/write-file.ts';
import { platformJson } from '../registry/platform.ts';

export const command: Command = {
  use: '[OPTIONS] IMAGE [IMAGE...]',
  flags: `
      --compress string   Compress the archive: "gzip", "zstd" or "none" (default: as the name of the output ends)
  -o, --output string     Write to a file, instead of STDOUT
      --platform string   Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")
      --since list        Leave out the layers of this image: the machine that loads the archive has it (repeatable)
`,
  arity: atLeast(1),
  completes: ['image'],
  completesFlags: { compress: ['gzip', 'zstd', 'none'], since: 'image' },
  examples: `
# To carry it elsewhere, compressed because the name says so
wherry save -o images.tar.zst nginx busybox
# Every tag of a repository
wherry save -o app.tar app
# Only what a machine lacks that has version 1
wherry save --since app:1 app:2 | ssh host wherry load`,
  async run(session, { flags, args }) {
    const output = flags.string('output');
    const compression = chooseCompression(flags.string('compress'), output);
    const platform = flags.optional('platform');
    const since = flags.list('since');
    const options = { platform: platform === undefined ? undefined : platformJson(platform), since };
    const client = await session.client();
    const shows = output !== '' && session.err.isTerminal;
    const board = new ProgressBoard(shows ? session.err : undefined);
    const id = basename(output);
    let written = 0;
    await writeStream(session, output, async () => {
      const { size, tar } = await client.images.save(args, options);
      if (since.length > 0 && size === undefined) {
        session.err.write('WARNING: this daemon does not know --since: the archive has every layer\n');
      }
      const watched = watchTransfer(tar, { id, status: 'Saving', total: size }, (line) => board.show(line));
      return watchTransfer(compressBytes(watched, compression), { id, status: '', total: undefined }, (line) => {
        written = line.progressDetail?.current ?? 0;
      });
    });
    board.show({ id, status: `Saved ${humanSize(written, 3)}` });
    board.flush();
  },
};
