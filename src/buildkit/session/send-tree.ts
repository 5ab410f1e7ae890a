/**
 * The sending side of fsutil's DiffCopy (tonistiigi/fsutil, send.go): every entry is told, then an empty one; meanwhile the other side asks for the
 * content that it wants, by the numbers of entries. A client lends its folders so, and a builder gives its trees (`--output type=local`).
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../std/index.ts';
import { type packet, packetType } from '../message/session.ts';
import type { Message } from '../protobuf/field.ts';
import type { PacketCall } from './receive-tree.ts';
import { type PacketInit, type TreeOptions, TreeWalk, unreadable } from './walk-tree.ts';

type Packets = AsyncIterable<readonly Message<typeof packet>[]>;

/** What is read before it is sent, of one file or of many; longer files take several. */
const batchBytes = 512 << 10;

/** The folder is the builder's and nobody writes to it meanwhile. @throws Fault */
export async function sendTree(call: PacketCall, folder: string, options: TreeOptions = {}): Promise<void> {
  using sender = new TreeSender(call.batches, folder, options);
  for await (const packets of sender.packets()) await call.send(...packets);
  call.end();
  // A client that could not keep it says so at the end.
  await sender.ended;
}

export class TreeSender implements Disposable {
  readonly #walk: TreeWalk;
  readonly #contents: Contents;
  #asked: number[] = [];
  /** Of `#asked`, how many are answered. */
  #answered = 0;
  #isFinished = false;
  #failure: unknown;
  #wake: (() => void) | undefined;
  /** Resolves when the other side has said its last. @throws Fault */
  readonly ended: Promise<void>;

  constructor(incoming: Packets, folder: string, options: TreeOptions = {}) {
    this.#walk = new TreeWalk(folder, options);
    this.#contents = new Contents(folder, this.#walk);
    this.ended = this.#listen(incoming);
    this.ended.catch((error: unknown) => {
      this.#failure = error;
      this.#wake?.();
    });
  }

  /** What to send, in batches; the data of one is valid until the next is asked for. @throws Fault invalid, forbidden, unavailable */
  async *packets(): AsyncGenerator<readonly PacketInit[], void, void> {
    let isTold = false;
    for (;;) {
      if (!isTold) {
        const entries = this.#walk.next();
        isTold = entries === undefined;
        yield entries ?? [{ type: packetType.stat }];
      }
      // Between entries, so that neither side waits for the other.
      do {
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#contents.isIdle && this.#answered === this.#asked.length) break;
        yield this.#contents.next(() => this.#nextAsked());
      } while (isTold);
      if (!isTold) continue;
      if (this.#isFinished) break;
      await this.#more();
    }
    yield [{ type: packetType.finish }];
  }

  #nextAsked(): number | undefined {
    return this.#answered < this.#asked.length ? this.#asked[this.#answered++] : undefined;
  }

  /** Resolves when something was said. */
  async #more(): Promise<void> {
    this.#asked = this.#asked.slice(this.#answered);
    this.#answered = 0;
    if (this.#asked.length > 0 || this.#isFinished || this.#failure !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  async #listen(incoming: Packets): Promise<void> {
    for await (const packets of incoming) {
      for (const { type, id, data } of packets) {
        if (type === packetType.request) this.#asked.push(id);
        else if (type === packetType.error) throw new Fault('invalid', `Cannot send files: ${data.toString()}`);
        else if (type === packetType.finish) this.#isFinished = true;
      }
      this.#wake?.();
    }
    if (!this.#isFinished) throw new Fault('unavailable', 'Cannot send files: the other side stopped early');
  }

  [Symbol.dispose](): void {
    this.#contents[Symbol.dispose]();
  }
}

/** The content of the files asked for, one after the other, through one buffer. */
class Contents implements Disposable {
  readonly #folder: string;
  readonly #walk: TreeWalk;
  readonly #buffer = Buffer.allocUnsafeSlow(batchBytes);
  /** The file that did not fit the last batch. */
  #open: OpenFile | undefined;

  constructor(folder: string, walk: TreeWalk) {
    this.#folder = folder;
    this.#walk = walk;
  }

  get isIdle(): boolean {
    return this.#open === undefined;
  }

  /** @param ask gives the next entry that is asked for. @throws Fault */
  next(ask: () => number | undefined): readonly PacketInit[] {
    const packets: PacketInit[] = [];
    let filled = 0;
    while (filled < batchBytes) {
      if (this.#open === undefined) {
        const id = ask();
        if (id === undefined) break;
        this.#open = this.#openFile(id);
      }
      const file = this.#open;
      const into = this.#buffer.subarray(filled);
      const length = read(file.descriptor, into, file.path);
      if (length > 0) packets.push({ type: packetType.data, id: file.id, data: into.subarray(0, length) });
      filled += length;
      file.left -= length;
      // Its end is a read of nothing, or a short one where it was to be.
      if (length > 0 && (length === into.length || file.left > 0)) continue;
      packets.push({ type: packetType.data, id: file.id });
      this[Symbol.dispose]();
    }
    return packets;
  }

  #openFile(id: number): OpenFile {
    const file = this.#walk.file(id);
    if (file === undefined) {
      throw new Fault('invalid', `Cannot send files: the other side asked for entry ${id}, which is no file`);
    }
    const { path, size } = file;
    try {
      // It was a file when it was told; what took its place must not lead elsewhere or make us wait.
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      return { id, path, left: size, descriptor: openSync(join(this.#folder, path), flags) };
    } catch (error) {
      throw unreadable(path, error);
    }
  }

  [Symbol.dispose](): void {
    if (this.#open !== undefined) closeSync(this.#open.descriptor);
    this.#open = undefined;
  }
}

interface OpenFile {
  readonly id: number;
  readonly path: string;
  readonly descriptor: number;
  /** Of what it was said to be. */
  left: number;
}

/** Fills the buffer as far as the file goes. */
function read(descriptor: number, into: Buffer, path: string): number {
  try {
    return readSync(descriptor, into, 0, into.length, null);
  } catch (error) {
    throw unreadable(path, error);
  }
}
