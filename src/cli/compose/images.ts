/** Images for a project: pulled side by side with the user's credentials, built side by side on one display. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askBuild, type Connect, type SolveStatus } from '../../buildkit/index.ts';
import type { ProgressMessage } from '../../api/index.ts';
import type { ImageBuild as Build, ImageDoor, Project, Pull } from '../../compose/index.ts';
import { Fault, gather, messageOf } from '../../std/index.ts';
import { prepareBuild } from '../build/ask.ts';
import { findPlace } from '../build/context.ts';
import { failureText } from '../build/failure.ts';
import { buildChecks, buildFlags, hiddenBuildFlags } from '../build/flags.ts';
import { openDisplay, type ProgressMode } from '../build/progress/display.ts';
import { pushBuilt } from '../build/push.ts';
import { warningsText } from '../build/warnings.ts';
import { parseLine } from '../flag/parse.ts';
import { parseFlagTable } from '../flag/table.ts';
import { authHeaderFor, familiarRepository, parseImageName, registryOf } from '../../context/index.ts';
import { Exit } from '../usage-fault.ts';
import type { Board } from './board.ts';
import { buildWords, type BuildExtras } from './build-words.ts';
import type { Compose } from './open.ts';

export const noExtras: BuildExtras = { args: [], noCache: false, pull: false, ssh: [], memory: undefined, push: false };

export interface ImageOptions {
  quietPull: boolean;
  quietBuild: boolean;
  extras: BuildExtras;
  signal: AbortSignal;
}

export function imageDoor(compose: Compose, options: ImageOptions): ImageDoor {
  return {
    pull: (pulls, project) => pullAll(compose, project, pulls, options),
    build: (builds, project) => buildAll(compose, project, builds, options),
  };
}

async function pullAll(
  compose: Compose,
  project: Project,
  pulls: readonly Pull[],
  options: ImageOptions,
): Promise<void> {
  const board = compose.board('Pulling', { quiet: false });
  try {
    await gather(
      pulls.map((pull) => async (signal) => {
        try {
          await pullOne(compose, pull, board, options.quietPull, signal);
        } catch (error) {
          if (!pull.isBuildable) throw error;
        }
      }),
      { limit: compose.limit(project), signal: options.signal },
    );
  } finally {
    board.stop();
  }
}

/** @throws Fault with the registry's or the daemon's refusal */
export async function pullOne(
  compose: Compose,
  { service, image, platform, isBuildable }: Pull,
  board: Board,
  quiet: boolean,
  signal: AbortSignal,
): Promise<void> {
  const client = await compose.session.client();
  const name = parseImageName(image);
  const tag = name.digest ?? name.tag ?? 'latest';
  board.progress({ id: service, state: 'working', text: 'Pulling' });
  try {
    const auth = await authHeaderFor(compose.session, registryOf(name));
    const query = { fromImage: familiarRepository(name), tag, ...(platform === undefined ? {} : { platform }) };
    const layers = new LayerSum();
    for await (const line of client.images.pull(query, auth, signal)) {
      const wrong = line.errorDetail?.message ?? line.error;
      if (wrong !== undefined) throw new Fault('internal', wrong);
      if (!quiet && layers.take(line)) board.transfer(service, layers.current, layers.total);
    }
  } catch (error) {
    board.progress({ id: service, state: isBuildable ? 'warning' : 'error', text: messageOf(error) });
    throw error;
  }
  board.progress({ id: service, state: 'done', text: 'Pulled' });
}

/** What the layers of an image have come to together. */
class LayerSum {
  readonly #layers = new Map<string, { current: number; total: number }>();
  current = 0;
  total = 0;

  take({ id, status, progressDetail: detail }: ProgressMessage): boolean {
    if (id === undefined || detail?.total === undefined || status !== 'Downloading') return false;
    this.#layers.set(id, { current: detail.current ?? 0, total: detail.total });
    this.current = 0;
    this.total = 0;
    for (const layer of this.#layers.values()) {
      this.current += layer.current;
      this.total += layer.total;
    }
    return true;
  }
}

/** Those that others are built of come first. */
async function buildAll(
  compose: Compose,
  project: Project,
  builds: readonly Build[],
  options: ImageOptions,
): Promise<void> {
  const { session } = compose;
  const mode: ProgressMode = options.quietBuild ? 'quiet' : displayMode(compose);
  const isColored = compose.isColored(session.err);
  const { context } = await session.endpoint();
  const display = openDisplay(mode, session.err, { builder: `wherry:${context}`, isColored });
  const built = new Map<string, Promise<void>>();
  const failed: { service: string; error: unknown }[] = [];
  const begin = (build: Build): Promise<void> => {
    const known = built.get(build.service.name);
    if (known !== undefined) return known;
    const run = async (): Promise<void> => {
      await Promise.all(
        usedServices(build).flatMap((name) => builds.filter(({ service }) => service.name === name).map(begin)),
      );
      try {
        await buildOne(compose, project, build, options, (status) =>
          display.update(builds.length === 1 ? status : named(build.service.name, status)),
        );
      } catch (error) {
        failed.push({ service: build.service.name, error });
        throw error;
      }
    };
    const running = run();
    built.set(build.service.name, running);
    return running;
  };
  try {
    await Promise.allSettled(builds.map(begin));
  } finally {
    display.stop();
    if (mode === 'plain' || mode === 'tty') session.err.write(warningsText(display.trace.warnings, isColored));
  }
  const [first] = failed;
  options.signal.throwIfAborted();
  if (first !== undefined) {
    session.err.write(failureText(session, first.error));
    throw new Exit(1, `target ${first.service}: failed to build`);
  }
  const board = compose.board('Building');
  for (const { image } of builds) board.progress({ id: image, state: 'done', text: 'Built' });
  board.stop();
}

function displayMode(compose: Compose): ProgressMode {
  const mode = compose.mode();
  if (mode === 'json') return 'rawjson';
  const asked = compose.session.env['BUILDKIT_PROGRESS'];
  if (asked === 'plain' || asked === 'quiet' || asked === 'rawjson') return asked;
  return mode === 'tty' && !compose.session.err.isTerminal ? 'plain' : mode;
}

function usedServices({ service }: Build): string[] {
  return Object.values(service.build?.additional_contexts ?? {}).flatMap((place) =>
    place.startsWith('service:') ? [place.slice('service:'.length)] : [],
  );
}

/** Steps of several builds on one display: each with its service's name, and none taken for another's. */
function named(service: string, status: SolveStatus): SolveStatus {
  const own = (digest: string): string => `${service}:${digest}`;
  return {
    vertexes: status.vertexes.map((vertex) => ({
      ...vertex,
      digest: own(vertex.digest),
      inputs: vertex.inputs.map(own),
      name: vertex.name.startsWith('[') ? `[${service} ${vertex.name.slice(1)}` : `[${service}] ${vertex.name}`,
    })),
    statuses: status.statuses.map((each) => ({ ...each, vertex: own(each.vertex) })),
    logs: status.logs.map((each) => ({ ...each, vertex: own(each.vertex) })),
    warnings: status.warnings.map((each) => ({ ...each, vertex: own(each.vertex) })),
  };
}

const buildSpecs = [...parseFlagTable(buildFlags), ...parseFlagTable(hiddenBuildFlags, true)];

async function buildOne(
  compose: Compose,
  project: Project,
  { service, image }: Build,
  { extras, signal }: ImageOptions,
  onStatus: (status: SolveStatus) => void,
): Promise<void> {
  const { session } = compose;
  const inline = service.build?.dockerfile_inline;
  const folder = inline === undefined ? undefined : mkdtempSync(join(tmpdir(), 'wherry-compose-'));
  try {
    const dockerfile = folder === undefined ? undefined : join(folder, 'Dockerfile');
    if (dockerfile !== undefined) writeFileSync(dockerfile, inline!);
    const words = buildWords(project, service, extras, dockerfile);
    const { flags, args } = parseLine(words, { specs: buildSpecs, interspersed: true, checks: buildChecks });
    using place = await findPlace(args[0]!, flags.string('file'), session.in);
    const client = await session.client();
    const connect: Connect = (door, headers) => client.caller.upgrade(door, 'h2c', headers);
    // Variables of the project are those that secrets and arguments are taken from.
    const lender = { ...session, env: { ...session.env, ...project.environment } };
    const { ask, loans } = await prepareBuild(lender, flags, place, connect);
    await askBuild(connect, ask, loans, { onStatus, signal });
    if (extras.push && service.image !== undefined) await pushBuilt(session, image, { onStatus, signal });
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}
