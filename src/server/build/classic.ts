/** A build for a client of the classic builder: its lines, as they come. */
import type { BuildRun, BuildSecrets, ProgressMessage, RegistryAuth } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import { failureFault } from './failure-text.ts';
import type { ClassicRenderer } from './renderer.ts';

/** How many characters of lines a quiet build keeps, to show them if it fails. */
const quietLength = 1 << 20;

export interface ClassicRun {
  readonly run: BuildRun;
  readonly renderer: ClassicRenderer;
  readonly quiet: boolean;
}

/**
 * The messages in order; the last one is the error of a build that failed.
 * @throws Fault when it failed with nothing told, in Docker's words; the signal's reason
 */
export async function* classicMessages(
  { run, renderer, quiet }: ClassicRun,
  signal: AbortSignal,
): AsyncGenerator<ProgressMessage, void, void> {
  const kept = new KeptMessages(quietLength);
  let told = false;
  try {
    for await (const event of run.events) {
      for (const message of renderer.tell(event)) {
        if (quiet) kept.add(message);
        else {
          told = true;
          yield message;
        }
      }
    }
    const result = await run.result;
    const last = renderer.finish(result);
    if (!quiet) yield* last;
    else if (result.image !== undefined) yield { stream: `${result.image}\n` };
  } catch (error) {
    signal.throwIfAborted();
    const last = renderer.fail(error);
    if (!told && kept.messages.length === 0 && last.length === 1) throw failureFault(error);
    yield* kept.messages;
    yield* last;
  }
}

class KeptMessages {
  readonly messages: ProgressMessage[] = [];
  readonly #limit: number;
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(message: ProgressMessage): void {
    this.messages.push(message);
    this.#length += lengthOf(message);
    while (this.#length > this.#limit) this.#length -= lengthOf(this.messages.shift()!);
  }
}

function lengthOf({ stream = '' }: ProgressMessage): number {
  return stream.length + 64;
}

/** What the classic builder's clients lend: credentials alone. */
export function classicSecrets(credentials: Readonly<Record<string, RegistryAuth>>): BuildSecrets {
  const byHost = new Map(Object.entries(credentials).map(([server, auth]) => [hostOf(server), auth]));
  return {
    secret: async () => undefined,
    agent: async (id) => {
      throw new Fault('not-found', `Cannot forward SSH agent ${JSON.stringify(id)}: this client has none to lend`);
    },
    credentials: async (host) => byHost.get(hostOf(host)),
  };
}

/** Clients file the Hub's login under the address of its first API. */
function hostOf(server: string): string {
  const host = server.replace(/^https?:\/\//, '').split('/')[0]!;
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}
