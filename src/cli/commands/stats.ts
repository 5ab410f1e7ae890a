/** `wherry stats`. */
import { atLeast, type Command } from '../command.ts';
import type { Client } from '../../client/index.ts';
import { explain } from '../explain.ts';
import { formatList, type ListShape } from '../output/list.ts';
import { shortId } from '../output/short.ts';
import { type Figures, figuresOf } from '../../client/index.ts';
import { statsRow } from '../output/usage-stats.ts';
import type { Session } from '../session.ts';
import { Exit } from '../usage-fault.ts';
import { formatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS] [CONTAINER...]',
  flags: `
  -a, --all             Show all containers (default shows just running)
      --format string   ${formatHelp}
      --no-stream       Disable streaming stats and only pull the first result
      --no-trunc        Do not truncate output
`,
  arity: atLeast(0),
  completes: ['running'],
  examples: `
# All that run, until you leave with ctrl-c
wherry stats
# Once, for a script
wherry stats --no-stream --format '{{.Name}} {{.MemUsage}}'`,
  async run(session, { flags, args }) {
    const client = await session.client();
    const board = new Board(client, flags.bool('no-stream'));
    const configured = session.config().data.statsFormat ?? '';
    const format = flags.string('format') || configured;
    const full = flags.bool('no-trunc');
    if (args.length > 0) for (const name of args) board.watch(name);
    else {
      const all = await client.containers.list({ all: flags.bool('all') });
      for (const { Id, Names } of all) board.watch(Id, Names[0]?.slice(1) ?? '');
      if (!flags.bool('no-stream')) board.follow(flags.bool('all'));
    }
    if (flags.bool('no-stream')) {
      await board.settled();
      board.mustHold(args);
      session.out.write(await board.text(format, full));
      return;
    }
    await live(session, board, format, full, args);
  },
};

const shape: ListShape = {
  type: 'statsContext',
  headers: {
    Container: 'CONTAINER',
    Name: 'NAME',
    ID: 'CONTAINER ID',
    CPUPerc: 'CPU %',
    MemUsage: 'MEM USAGE / LIMIT',
    MemPerc: 'MEM %',
    NetIO: 'NET I/O',
    BlockIO: 'BLOCK I/O',
    PIDs: 'PIDS',
  },
  columns: ['ID', 'Name', 'CPUPerc', 'MemUsage', 'MemPerc', 'NetIO', 'BlockIO', 'PIDs'],
};

interface Watched {
  ref: string;
  id: string;
  name: string;
  figures: Figures | undefined;
  failure: unknown;
  done: Promise<void>;
  stop: AbortController;
}

/** The containers on the screen; each has a stream of its own. */
class Board {
  readonly #client: Client;
  readonly #once: boolean;
  readonly #watched: Watched[] = [];

  constructor(client: Client, once: boolean) {
    this.#client = client;
    this.#once = once;
  }

  watch(ref: string, name = ''): void {
    if (this.#watched.some((each) => each.id === ref || each.ref === ref)) return;
    const stop = new AbortController();
    const entry: Watched = {
      ref,
      id: ref,
      name,
      figures: undefined,
      failure: undefined,
      done: Promise.resolve(),
      stop,
    };
    entry.done = this.#read(entry);
    this.#watched.push(entry);
  }

  /** Containers come and go with their events. */
  follow(all: boolean): void {
    const read = async (): Promise<void> => {
      const events = this.#client.system.events(
        {},
        { type: ['container'], event: all ? ['create', 'start', 'die', 'destroy'] : ['start', 'die', 'destroy'] },
      );
      for await (const { Action, Actor } of events) {
        if (Action === 'start' || Action === 'create') this.watch(Actor.ID, Actor.Attributes['name'] ?? '');
        else if (Action === 'destroy' || !all) this.#forget(Actor.ID);
      }
    };
    read().catch(() => {});
  }

  async settled(): Promise<void> {
    await Promise.all(this.#watched.map((each) => each.done));
  }

  /** @throws Exit when a container that was asked for by name is not there. */
  mustHold(names: readonly string[]): void {
    const failed = this.#watched.filter((each) => names.includes(each.ref) && each.failure !== undefined);
    if (failed.length > 0) throw new Exit(1, failed.map((each) => explain(each.failure)).join('\n'));
  }

  text(format: string, full: boolean): Promise<string> {
    const rows = this.#watched
      .filter((each) => each.failure === undefined)
      .map((each) => statsRow(full ? each.id : shortId(each.id), each.name, each.figures));
    return formatList(shape, rows, format);
  }

  #forget(id: string): void {
    const at = this.#watched.findIndex((each) => each.id === id);
    if (at >= 0) this.#watched.splice(at, 1)[0]!.stop.abort();
  }

  async #read(entry: Watched): Promise<void> {
    try {
      const query = this.#once ? { stream: '0' } : { stream: '1' };
      for await (const sample of this.#client.containers.stats(entry.ref, query, entry.stop.signal)) {
        entry.id = sample.id ?? entry.id;
        entry.name = (sample.name ?? '').replace(/^\//, '') || entry.name;
        entry.figures = figuresOf(sample);
        if (this.#once) return;
      }
    } catch (error) {
      if (!entry.stop.signal.aborted) entry.failure = error;
    }
  }
}

const frameMs = 500;

/** Draws in place twice a second, until interrupted. */
async function live(
  session: Session,
  board: Board,
  format: string,
  full: boolean,
  names: readonly string[],
): Promise<void> {
  for (;;) {
    const text = await board.text(format, full);
    if (session.out.isTerminal) {
      const lines = text.split('\n').slice(0, session.out.rows);
      session.out.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`);
    } else session.out.write(text);
    board.mustHold(names);
    await new Promise((resolve) => setTimeout(resolve, frameMs));
  }
}
