/** `wherry cp`. */
import { exactly, type Command } from '../command.ts';
import { Fault, humanSize, tapBytes } from '../../std/index.ts';
import {
  describeSource,
  describeTarget,
  isGoDirectory,
  isGoSymlink,
  localEntries,
  planCopy,
  splitEntry,
  unpackLocally,
} from '../../archive/index.ts';
import { packTar, readTar } from '../../client/index.ts';
import type { Flags } from '../flag/parse.ts';
import type { Session } from '../session.ts';

export const command: Command = {
  use: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n[OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  flags: `
  -a, --archive       Archive mode (copy all uid/gid information)
  -L, --follow-link   Always follow symbol link in SRC_PATH
  -q, --quiet         Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached
`,
  long: `
Use '-' as the source to read a tar archive from stdin
and extract it to a directory destination in a container.
Use '-' as the destination to stream a tar archive of a
container source to stdout.`,
  arity: exactly(2),
  completes: ['container', 'file'],
  examples: `
# A file out of a container
wherry cp web:/etc/nginx/nginx.conf .
# A folder's contents into it
wherry cp site/. web:/usr/share/nginx/html
# As a tar archive, through a pipe
wherry cp web:/var/log - | tar -tv`,
  async run(session, { flags, args: [source = '', target = ''] }) {
    const from = splitPlace(source);
    const to = splitPlace(target);
    if (source === '') throw new Fault('invalid', 'source can not be empty');
    if (target === '') throw new Fault('invalid', 'destination can not be empty');
    if (from !== undefined && to !== undefined)
      throw new Fault('invalid', 'copying between containers is not supported');
    if (from !== undefined) await copyOut(session, flags, from, target);
    else if (to !== undefined) await copyIn(session, flags, source, to);
    else throw new Fault('invalid', 'must specify at least one container source');
  },
};

interface Place {
  container: string;
  path: string;
}

/** `container:path`; a local path with a colon begins with a slash or a dot. */
function splitPlace(text: string): Place | undefined {
  if (/^[./]/.test(text)) return undefined;
  const colon = text.indexOf(':');
  if (colon <= 0) return undefined;
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

async function copyOut(session: Session, flags: Flags, { container, path }: Place, target: string): Promise<void> {
  const client = await session.client();
  let source = path.startsWith('/') ? path : `/${path}`;
  let rebaseName: string | undefined;
  if (flags.bool('follow-link')) {
    const stat = await client.containers.statPath(container, source);
    if (isGoSymlink(stat.mode)) {
      rebaseName = splitEntry(source).name;
      source = stat.linkTarget.startsWith('/') ? stat.linkTarget : `${splitEntry(source).folder}/${stat.linkTarget}`;
    }
  }
  if (target === '-') {
    const { tar } = await client.containers.getArchive(container, source);
    if (session.out.isTerminal) throw new Fault('invalid', 'cowardly refusing to write an archive to a terminal');
    for await (const chunk of tar) session.out.write(chunk);
    return;
  }
  const described = await describeTarget(target);
  const { stat, tar } = await client.containers.getArchive(container, source);
  const plan = planCopy({ path: source, isDirectory: isGoDirectory(stat.mode) }, described);
  const rename =
    plan.rename ?? (rebaseName === undefined ? undefined : { from: splitEntry(source).name, to: rebaseName });
  const size = await unpackLocally(
    readTar(tar),
    plan.folder.replace(/\/\.?$/, '') || '/',
    rename,
    flags.bool('archive'),
  );
  tell(session, flags, size, target);
}

async function copyIn(session: Session, flags: Flags, source: string, { container, path }: Place): Promise<void> {
  const client = await session.client();
  let target = path.startsWith('/') ? path : `/${path}`;
  let isDirectory = false;
  let exists = false;
  try {
    let stat = await client.containers.statPath(container, target);
    if (isGoSymlink(stat.mode)) {
      target = stat.linkTarget.startsWith('/') ? stat.linkTarget : `${splitEntry(target).folder}/${stat.linkTarget}`;
      stat = await client.containers.statPath(container, target);
    }
    exists = true;
    isDirectory = isGoDirectory(stat.mode);
  } catch {
    // It is not there yet; whether its folder is, the daemon will say.
  }
  const query = { noOverwriteDirNonDir: 'true', copyUIDGID: flags.bool('archive') ? 'true' : undefined };
  if (source === '-') {
    if (!isDirectory) throw new Fault('invalid', `destination "${container}:${path}" must be a directory`);
    await client.containers.putArchive(container, { ...query, path: target }, session.in.read());
    return;
  }
  const described = await describeSource(source, flags.bool('follow-link'));
  const plan = planCopy(described, { path: target, exists, isDirectory });
  let size = 0;
  const tar = tapBytes(packTar(localEntries(described, plan.rename)), (chunk) => {
    size += chunk.length;
  });
  await client.containers.putArchive(container, { ...query, path: plan.folder }, tar);
  tell(session, flags, size, `${container}:${path}`);
}

function tell(session: Session, flags: Flags, size: number, target: string): void {
  const quiet = flags.changed('quiet') ? flags.bool('quiet') : !session.err.isTerminal;
  if (!quiet) session.err.write(`Successfully copied ${humanSize(size, 3)} to ${target}\n`);
}
