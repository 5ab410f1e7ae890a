/** What the verbs of compose work with: the project of the command line, the daemon, and where progress goes. */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import {
  type Context,
  enableServices,
  loadProject,
  type LoadOptions,
  type Project,
  type ProjectRequest,
  projectOfLabels,
  selectServices,
  type Surroundings,
  withoutUnused,
} from '../../compose/index.ts';
import { Fault } from '../../std/index.ts';
import type { Invocation } from '../command.ts';
import { proxyEnvironment } from '../context/proxy.ts';
import { Flags } from '../flag/parse.ts';
import type { Output } from '../output/stream.ts';
import type { Session } from '../session.ts';
import { Exit } from '../usage-fault.ts';
import { type Board, type BoardMode, openBoard } from './board.ts';

/** The exit code of who was stopped by Ctrl-C. */
export const interrupted = 128 + constants.signals.SIGINT;

const unlimited = 256;

export class Compose {
  readonly session: Session;
  readonly flags: Flags;
  readonly args: readonly string[];
  readonly #group: Flags;

  constructor(session: Session, { flags, args, group }: Invocation) {
    this.session = session;
    this.flags = flags;
    this.args = args;
    this.#group = group;
    const ansi = this.#ansi();
    if (!['auto', 'never', 'always'].includes(ansi))
      throw new Exit(1, `unsupported --ansi value ${JSON.stringify(ansi)}`);
  }

  get isDryRun(): boolean {
    return this.#group.bool('dry-run') || (this.flags.knows('dry-run') && this.flags.bool('dry-run'));
  }

  warn(text: string): void {
    this.session.err.write(`WARNING: ${text}\n`);
  }

  /** A variable that says how compose behaves: of the shell, else of the project's env files. */
  setting(name: string, project?: Project): string | undefined {
    const value = this.session.env[name] ?? project?.environment[name];
    return value === '' ? undefined : value;
  }

  isSet(name: string, project?: Project): boolean {
    return /^(?:1|t|true|y|yes)$/i.test(this.setting(name, project) ?? '');
  }

  request(): ProjectRequest {
    const group = this.#group;
    return {
      files: group.list('file'),
      name: group.optional('project-name'),
      directory: group.optional('project-directory'),
      envFiles: group.list('env-file'),
      profiles: group.list('profile'),
    };
  }

  surroundings(): Surroundings {
    const cwd = process.cwd();
    return {
      cwd,
      env: { ...this.session.env, PWD: this.session.env['PWD'] ?? cwd },
      stdin: () => readFileSync(0, 'utf8'),
      warn: (text) => this.warn(text),
    };
  }

  /** The project of the files, with these services (none: all that are on) and what they need. @throws Fault */
  project(services: readonly string[] = [], options: LoadOptions & { dependencies?: boolean } = {}): Project {
    const { dependencies, ...load } = options;
    const loaded = loadProject(this.request(), this.surroundings(), { ...load, enabled: services });
    const named = this.#group.bool('compatibility') ? { ...loaded, compatibility: true } : loaded;
    const enabled = enableServices(named, services);
    const selected = selectServices(enabled, services, dependencies === undefined ? {} : { dependencies });
    return this.#group.bool('all-resources') ? selected : withoutUnused(selected);
  }

  /** Files are not needed where `-p` names a project that is there. */
  projectOrName(services: readonly string[] = []): { project: Project | undefined; name: string } {
    const { files = [], name } = this.request();
    if (name !== undefined && name !== '' && files.length === 0)
      return { project: undefined, name: name.toLowerCase() };
    try {
      const project = this.project(services, { keepEnvFiles: true });
      return { project, name: project.name };
    } catch (error) {
      const fallback = this.setting('COMPOSE_PROJECT_NAME');
      if (fallback === undefined || !(error instanceof Fault && error.kind === 'not-found' && files.length === 0))
        throw error;
      return { project: undefined, name: fallback };
    }
  }

  projectName(): string {
    const name = this.request().name ?? this.setting('COMPOSE_PROJECT_NAME');
    return name === undefined || name === '' ? this.project([], { keepEnvFiles: true }).name : name.toLowerCase();
  }

  /** For a project that is known by its name only. */
  bareProject(name: string): Project {
    return projectOfLabels(name, {});
  }

  async context(project: Project, board: Board, signal: AbortSignal): Promise<Context> {
    const { session } = this;
    const client = await session.client();
    const { endpoint } = await session.endpoint();
    const proxies = proxyEnvironment(session.config().data, endpoint.url, []).map((line) => {
      const equals = line.indexOf('=');
      return [line.slice(0, equals), line.slice(equals + 1)] as const;
    });
    return {
      client,
      project,
      progress: (progress) => board.progress(progress),
      warn: (text) => board.pause(() => this.warn(text)),
      proxies: Object.fromEntries(proxies),
      credentials: async () => (await import('./credentials-file.ts')).allCredentials(session),
      signal,
      limit: this.limit(project),
    };
  }

  /** How much goes on at once. @throws Exit for a limit that is no number */
  limit(project?: Project): number {
    const text = this.#group.changed('parallel')
      ? this.#group.string('parallel')
      : this.setting('COMPOSE_PARALLEL_LIMIT', project);
    if (text === undefined) return unlimited;
    if (!/^-?\d+$/.test(text))
      throw new Exit(1, `COMPOSE_PARALLEL_LIMIT must be an integer (found: ${JSON.stringify(text)})`);
    return Number(text) > 0 ? Number(text) : unlimited;
  }

  /** Where progress goes: standard error, unless COMPOSE_STATUS_STDOUT wants it otherwise. */
  get info(): Output {
    return this.isSet('COMPOSE_STATUS_STDOUT') ? this.session.out : this.session.err;
  }

  board(title: string, options: { quiet?: boolean } = {}): Board {
    return openBoard(options.quiet === true ? 'quiet' : this.mode(), this.info, {
      title,
      isColored: this.isColored(this.info),
    });
  }

  /** @throws Exit for a mode there is not */
  mode(): BoardMode {
    const asked = this.#group.optional('progress') ?? this.setting('COMPOSE_PROGRESS') ?? 'auto';
    const ansi = this.#ansi();
    if (asked === 'tty' && ansi === 'never')
      throw new Exit(1, "can't use --progress tty while ANSI support is disabled");
    if (asked === 'plain' && ansi === 'always')
      throw new Exit(1, "can't use --progress plain while ANSI support is forced");
    if (asked === 'none') return 'quiet';
    if (asked === 'tty' || asked === 'plain' || asked === 'json' || asked === 'quiet') return asked;
    if (asked !== 'auto' && asked !== '') throw new Exit(1, `unsupported --progress value ${JSON.stringify(asked)}`);
    if (ansi === 'never') return 'plain';
    return ansi === 'always' || this.info.isTerminal ? 'tty' : 'plain';
  }

  isColored(out: Output): boolean {
    const ansi = this.#ansi();
    if (ansi === 'never' || this.setting('NO_COLOR') !== undefined) return false;
    return ansi === 'always' || out.isTerminal;
  }

  #ansi(): string {
    if (this.#group.bool('no-ansi')) return 'never';
    return this.#group.changed('ansi') ? this.#group.string('ansi') : (this.setting('COMPOSE_ANSI') ?? 'auto');
  }
}

/** The first Ctrl-C cancels what goes on; a second one leaves at once. @returns what `act` does, or the exit code of an interruption */
export async function cancelable(act: (signal: AbortSignal) => Promise<number | void>): Promise<number> {
  const cancel = new AbortController();
  const stop = (): void => {
    if (cancel.signal.aborted) process.exit(interrupted);
    cancel.abort(new Exit(interrupted));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    return (await act(cancel.signal)) ?? 0;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

/** Seconds of `--timeout`, where it was given. */
export function timeoutOf(flags: Flags): number | undefined {
  return flags.changed('timeout') ? flags.integer('timeout') : undefined;
}

/** `SERVICE=NUMBER`. @throws Exit */
export function parseScales(words: readonly string[], wrong: (word: string) => string): Map<string, number> {
  return new Map(
    words.map((word) => {
      const [, name, count] = /^([^=]+)=(\d+)$/.exec(word) ?? [];
      if (name === undefined) throw new Exit(1, wrong(word));
      return [name, Number(count)];
    }),
  );
}
