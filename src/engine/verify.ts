/** `system verify`: every room tells what is wrong with its part of the disk; what can be mended is, when that is asked. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { foreignFile, type Problem, type VerifyFinding, type VerifyMessage, type VerifySummary } from '../api/index.ts';
import type { Builder } from '../build/index.ts';
import type { ContainerRoom } from '../container/index.ts';
import type { ImageStore } from '../image/index.ts';
import { diskUsage } from '../linux/index.ts';
import type { Networking } from '../network/index.ts';
import { Channel, Fault, type Logger, messageOf, sweepHalfWritten, writeFileAtomic } from '../std/index.ts';
import type { Volumes } from '../volume/index.ts';

export interface VerifyParts {
  dataRoot: string;
  images: ImageStore;
  builder: Builder;
  room: ContainerRoom;
  volumes: Volumes;
  networking: Networking;
  log: Logger;
}

/** When the store was last verified, as `last-verify.json` of the data root has it. */
export interface LastVerification {
  at: string;
  quick: boolean;
  /** Found and left. */
  problems: number;
}

/** Of the data root; `lost+found` is there when it is a file system of its own. */
const ownNames = new Set([
  'content',
  'snapshots',
  'images',
  'mirror',
  'records',
  'containers',
  'volumes',
  'trash',
  'networks',
  'build',
  'bootstrap',
  'buildkit',
  'engine-id',
  'last-verify.json',
  'lost+found',
]);
const progressMs = 100;

export class Verification {
  readonly #parts: VerifyParts;
  #busy = false;

  constructor(parts: VerifyParts) {
    this.#parts = parts;
  }

  /** One at a time. @throws Fault conflict */
  run(options: { quick: boolean; repair: boolean }, signal: AbortSignal): AsyncIterable<VerifyMessage> {
    if (this.#busy) throw new Fault('conflict', 'Cannot verify the store: another verification goes on');
    this.#busy = true;
    const output = new Channel<VerifyMessage>();
    const gone = new AbortController();
    const work = this.#work(options, output, AbortSignal.any([signal, gone.signal])).then(
      () => output.close(),
      (error: unknown) => output.fail(error),
    );
    const ended = work.finally(() => {
      this.#busy = false;
    });
    return {
      async *[Symbol.asyncIterator]() {
        try {
          yield* output;
        } finally {
          gone.abort(new Error('the client is gone'));
          await ended;
        }
      },
    };
  }

  async #work(
    options: { quick: boolean; repair: boolean },
    output: Channel<VerifyMessage>,
    signal: AbortSignal,
  ): Promise<void> {
    const { log, room } = this.#parts;
    const counts = { Images: 0, Blobs: 0, BlobBytes: 0, Layers: 0, LayersCompared: 0 };
    const summary: VerifySummary = {
      ...counts,
      Containers: room.counts().total,
      Volumes: (await this.#parts.volumes.list(new Map())).Volumes.length,
      Networks: (await this.#parts.networking.list(new Map())).length,
      Problems: 0,
      Repaired: 0,
    };
    for await (const problem of this.#problems(options.quick, counts, output, signal)) {
      const finding = await settle(problem, options.repair);
      summary.Problems++;
      if (finding.Repaired) summary.Repaired++;
      const { Kind: kind, Name: name, Problem: what, Detail: detail, Action: action } = finding;
      log.warn(finding.Repaired ? 'mended' : 'the store is not as it should be', { kind, name, what, detail, action });
      output.push({ Finding: finding });
    }
    await this.#remember({
      at: new Date().toISOString(),
      quick: options.quick,
      problems: summary.Problems - summary.Repaired,
    });
    output.push({ Summary: { ...summary, ...counts } });
  }

  /** The last one that came to its end, of this daemon or one before; undefined when there was none. */
  last(): LastVerification | undefined {
    try {
      return JSON.parse(readFileSync(this.#lastFile, 'utf8')) as LastVerification;
    } catch {
      // Never written, or not readable: it is only a reminder.
      return undefined;
    }
  }

  get #lastFile(): string {
    return join(this.#parts.dataRoot, 'last-verify.json');
  }

  async #remember(last: LastVerification): Promise<void> {
    try {
      await sweepHalfWritten(this.#lastFile);
      await writeFileAtomic(this.#lastFile, `${JSON.stringify(last)}\n`);
    } catch (error) {
      this.#parts.log.warn('cannot write down when the store was verified', { error: messageOf(error) });
    }
  }

  async *#problems(
    quick: boolean,
    counts: Pick<VerifySummary, 'Images' | 'Blobs' | 'BlobBytes' | 'Layers' | 'LayersCompared'>,
    output: Channel<VerifyMessage>,
    signal: AbortSignal,
  ): AsyncGenerator<Problem, void, void> {
    const { images, builder, room, volumes, networking, dataRoot } = this.#parts;
    let last = 0;
    const progress = (Step: string, Done: number, Total: number): void => {
      const now = performance.now();
      if (now - last < progressMs) return;
      last = now;
      output.push({ Progress: { Step, Done, Total } });
    };
    const note = (Note: string): void => output.push({ Note });
    const runningOn = (chainId: string): string[] => room.runningOn(chainId);
    yield* images.verify({ quick, runningOn, progress, note, counts }, signal);
    yield* builder.check({ quick }, signal);
    yield* room.check();
    yield* volumes.check();
    yield* await networking.check();
    for (const name of readdirSync(dataRoot)) {
      const path = join(dataRoot, name);
      if (ownNames.has(name) || lstatSync(path, { throwIfNoEntry: false }) === undefined) continue;
      yield foreignFile(path, await diskUsage(path), 'it is not of the engine');
    }
  }
}

async function settle({ repair, ...found }: Problem, mends: boolean): Promise<VerifyFinding> {
  if (!mends || repair === undefined) return { ...found, Repaired: false };
  try {
    if (repair !== 'remove') return { ...found, Repaired: true, Action: await repair() };
    await rm(found.Path, { recursive: true, force: true });
    return { ...found, Repaired: true, Action: 'removed' };
  } catch (error) {
    return { ...found, Problem: 'lost', Repaired: false, Action: messageOf(error) };
  }
}
