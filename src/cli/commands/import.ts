/** `wherry import`. */
import type { Command } from '../command.ts';
import { createReadStream, existsSync } from 'node:fs';
import { Fault } from '../../std/index.ts';
import { showProgress } from '../output/progress.ts';
import { parseImageName } from '../../context/index.ts';

export const command: Command = {
  use: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  flags: `
  -c, --change list       Apply Dockerfile instruction to the created image
  -m, --message string    Set commit message for imported image
      --platform string   Set platform if server is multi-platform capable
`,
  arity: { min: 1, max: 2 },
  completes: ['file', 'image'],
  examples: `
# An image from a file system
wherry import rootfs.tar base:1
# From a pipe
tar -C rootfs -c . | wherry import - base:1`,
  async run(session, { flags, args: [source = '', target = ''] }) {
    if (target !== '') parseImageName(target);
    const isUrl = /^(https?|ftp):\/\//.test(source);
    if (source !== '-' && !isUrl && !existsSync(source)) {
      throw new Fault('not-found', `open ${source}: no such file or directory`);
    }
    const body =
      source === '-'
        ? session.in.read()
        : isUrl
          ? undefined
          : (createReadStream(source, { highWaterMark: 1 << 18 }) as AsyncIterable<Uint8Array>);
    const client = await session.client();
    const lines = client.images.import(
      {
        fromSrc: isUrl ? source : '-',
        ...(target === '' ? {} : { repo: target }),
        message: flags.string('message'),
        changes: flags.list('change'),
        ...(flags.changed('platform') ? { platform: flags.string('platform') } : {}),
      },
      body,
    );
    await showProgress(lines, session.out);
  },
};
