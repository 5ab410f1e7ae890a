/** `wherry compose run`: a one-off container of a service. */
import { parsePublish } from '../../api/index.ts';
import {
  parseVolumeSpec,
  parseDotenv,
  prepareRun,
  type Port,
  type Project,
  type RunRequest,
  type ServiceVolume,
} from '../../compose/index.ts';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { atLeast, type Command } from '../command.ts';
import { applyCreateFlags } from '../compose/flags.ts';
import { imageDoor, noExtras } from '../compose/images.ts';
import { cancelable, Compose } from '../compose/open.ts';
import type { Flags } from '../flag/parse.ts';
import { proxySignals } from '../run/signals.ts';
import { carryStdio } from '../run/stdio.ts';
import type { Session } from '../session.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS] SERVICE [COMMAND] [ARGS...]',
  arity: atLeast(1),
  stopsAtArgument: true,
  flags: `
      --build                       Build image before starting container
      --cap-add list                Add Linux capabilities
      --cap-drop list               Drop Linux capabilities
  -d, --detach                      Run container in background and print container ID
      --entrypoint string           Override the entrypoint of the image
  -e, --env stringArray             Set environment variables
      --env-from-file stringArray   Set environment variables from file
  -i, --interactive                 Keep STDIN open even if not attached (default true)
  -l, --label stringArray           Add or override a label
      --name string                 Assign a name to the container
  -T, --no-TTY                      Disable pseudo-TTY allocation (default: auto-detected)
      --no-deps                     Don't start linked services
  -p, --publish stringArray         Publish a container's port(s) to the host
      --pull string                 Pull image before running ("always"|"missing"|"never") (default "policy")
  -q, --quiet                       Don't print anything to STDOUT
      --quiet-build                 Suppress progress output from the build process
      --quiet-pull                  Pull without printing progress information
      --remove-orphans              Remove containers for services not defined in the Compose file
      --rm                          Automatically remove the container when it exits
  -P, --service-ports               Run command with all service's ports enabled and mapped to the host
      --use-aliases                 Use the service's network useAliases in the network(s) the container connects to
  -u, --user string                 Run as specified username or uid
  -v, --volume stringArray          Bind mount a volume
  -w, --workdir string              Working directory inside the container
`,
  hidden: `
      --dry-run
      --labels stringArray    =label
      --no-tty                =no-TTY
  -t, --tty                   Allocate a pseudo-TTY (default true)
      --volumes stringArray   =volume
`,
  completes: ['service', 'none'],
  examples: `
# A shell with all that the service has, gone afterwards
wherry compose run --rm web sh
# A migration, with what it depends on running
wherry compose run --rm api npm run migrate`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const [service = ''] = args;
    if (flags.list('publish').length > 0 && flags.bool('service-ports'))
      throw new Exit(1, '--service-ports and --publish are incompatible');
    const hasTty = ttyOf(session, flags);
    const isInteractive = flags.bool('interactive');
    if (!flags.bool('detach') && isInteractive && hasTty && !session.in.isTerminal)
      throw new Exit(1, 'the input device is not a TTY');
    const project = applyCreateFlags(compose.project([service]), flags);
    const request = requestOf(compose, project, { tty: hasTty, interactive: isInteractive });
    if (compose.isDryRun) {
      session.out.write(`run  Service ${service}  because it was asked for\nThis was a dry run: nothing is changed.\n`);
      return 0;
    }
    const id = await prepareOne(compose, project, request);
    if (!flags.bool('detach')) return startAttached(session, id, hasTty, isInteractive, request.autoRemove);
    await (await session.client()).containers.start(id);
    if (!flags.bool('quiet')) session.out.write(`${id}\n`);
    return 0;
  },
};

async function prepareOne(compose: Compose, project: Project, request: RunRequest): Promise<string> {
  const { flags } = compose;
  let id = '';
  await cancelable(async (signal) => {
    const board = compose.board('Running', { quiet: flags.bool('quiet') });
    const door = imageDoor(compose, {
      quietPull: flags.bool('quiet-pull') || flags.bool('quiet'),
      quietBuild: flags.bool('quiet-build') || flags.bool('quiet'),
      extras: noExtras,
      signal,
    });
    try {
      id = await prepareRun(await compose.context(project, board, signal), door, request);
    } finally {
      board.stop();
    }
  });
  return id;
}

/** A terminal where there is one, unless it is said. @throws Exit */
function ttyOf(session: Session, flags: Flags): boolean {
  if (flags.changed('tty')) {
    if (flags.changed('no-TTY')) throw new Exit(1, "--tty and --no-TTY can't be used together");
    return flags.bool('tty');
  }
  if (flags.changed('no-TTY')) return !flags.bool('no-TTY');
  return session.out.isTerminal && (flags.changed('interactive') || session.in.isTerminal);
}

function requestOf(compose: Compose, project: Project, io: { tty: boolean; interactive: boolean }): RunRequest {
  const { flags, args } = compose;
  const [service = '', ...command] = args;
  const given = (name: string): string | undefined => (flags.string(name) === '' ? undefined : flags.string(name));
  return {
    service,
    command,
    entrypoint: flags.changed('entrypoint') ? shellWords(flags.string('entrypoint')) : undefined,
    environment: environmentOf(flags, project),
    labels: Object.fromEntries(flags.list('label').map(labelOf)),
    name: given('name'),
    user: given('user'),
    workingDir: given('workdir'),
    capAdd: flags.list('cap-add'),
    capDrop: flags.list('cap-drop'),
    volumes: flags.list('volume').map((word) => volumeOf(word, project.workingDir)),
    ports: flags.bool('service-ports') ? undefined : flags.list('publish').flatMap(portsOf),
    ...io,
    autoRemove: flags.bool('rm'),
    useAliases: flags.bool('use-aliases'),
    dependencies: !flags.bool('no-deps'),
    build: true,
    removeOrphans: flags.bool('remove-orphans'),
    ignoreOrphans: compose.isSet('COMPOSE_IGNORE_ORPHANS', project),
    now: compose.session.now(),
  };
}

function environmentOf(flags: Flags, project: Project): Record<string, string | null> {
  const values: Record<string, string> = {};
  for (const file of flags.list('env-from-file')) {
    const path = resolve(file);
    parseDotenv(path, readFileSync(path, 'utf8'), values, (name) => project.environment[name]);
  }
  const own = flags.list('env').map((word): [string, string | null] => {
    const equals = word.indexOf('=');
    return equals < 0 ? [word, null] : [word.slice(0, equals), word.slice(equals + 1)];
  });
  return { ...values, ...Object.fromEntries(own) };
}

function labelOf(word: string): [string, string] {
  const equals = word.indexOf('=');
  if (equals < 0) throw new Exit(1, 'label must be set as KEY=VALUE');
  return [word.slice(0, equals), word.slice(equals + 1)];
}

function volumeOf(word: string, workingDir: string): ServiceVolume {
  const volume = parseVolumeSpec(word);
  const home = process.env['HOME'] ?? '/root';
  if (volume.type === 'bind' && volume.source !== undefined)
    volume.source = resolve(workingDir, volume.source.replace(/^~(?=\/|$)/, home));
  return volume;
}

function portsOf(word: string): Port[] {
  return parsePublish(word).map(({ port, protocol, ip, hostPort }) => ({
    target: port,
    protocol,
    mode: 'ingress',
    ...(ip === '' ? {} : { host_ip: ip }),
    ...(hostPort === '' ? {} : { published: hostPort }),
  }));
}

/** Words as a shell splits them, without its variables. @throws Exit for a quote that is not closed */
function shellWords(text: string): string[] {
  const words: string[] = [];
  const pattern = /\s*((?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+)/gy;
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    at = match.index + match[0].length;
    words.push(
      match[1]!.replaceAll(
        /\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/g,
        (_, escaped?: string, double?: string, single?: string) =>
          escaped ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? single ?? '',
      ),
    );
  }
  if (text.slice(at).trim() !== '') throw new Exit(1, 'invalid command line string');
  return words;
}

async function startAttached(
  session: Session,
  id: string,
  tty: boolean,
  stdin: boolean,
  removes: boolean,
): Promise<number> {
  const client = await session.client();
  const detachKeys = session.config().data.detachKeys;
  const stopSignals = tty ? () => {} : proxySignals(session, (signal) => client.containers.kill(id, signal));
  try {
    const stream = await client.containers.attach(id, { stream: true, stdin, stdout: true, stderr: true, detachKeys });
    const { result } = await client.containers.wait(id, removes ? 'removed' : 'next-exit');
    const resize = (height: number, width: number): Promise<void> => client.containers.resize(id, height, width);
    const io = carryStdio(session, stream, { tty, stdin, stdout: true, stderr: true, detachKeys, resize });
    io.catch(() => {});
    try {
      await client.containers.start(id);
    } catch (error) {
      stream.destroy();
      throw error;
    }
    if ((await io) === 'detached') return 0;
    return (await result).StatusCode;
  } finally {
    stopSignals();
  }
}
