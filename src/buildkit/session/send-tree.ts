/**
 * The sending side of fsutil's DiffCopy (tonistiigi/fsutil, send.go): every entry is told, then an empty one; meanwhile the other side asks for the
 * content that it wants, by the numbers of entries. A client lends its folders so, and a builder gives its trees (`--output type=local`).
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Fault } from '../../std/index.ts';
import { Frames } from '../grpc/frame.ts';
import { packet, packetType } from '../message/session.ts';
import type { Message } from '../protobuf/field.ts';
import type { PacketCall } from './receive-tree.ts';
import { type TreeOptions, TreeWalk, unreadable } from './walk-tree.ts';

type Packets = AsyncIterable<readonly Message<typeof packet>[]>;

/** About as much as a batch of entries takes. */
const entriesBytes = 64 << 10;

/** What is read before it is sent, of one file or of many; longer files take several. */
const batchBytes = 512 << 10;

/** The folder is the builder's and nobody writes to it meanwhile. @throws Fault */
export async function sendTree(call: PacketCall, folder: string, options: TreeOptions = {}): Promise<void> {
  using sender = new TreeSender(call.batches, folder, options);
  for await (const packets of sender.packets()) await call.sendFrames(packets);
  call.end();
  // A client that could not keep it says so at the end.
  await sender.ended;
}

export class TreeSender implements Disposable {
  readonly #frames = new Frames(packet, entriesBytes);
  readonly #walk: TreeWalk;
  readonly #contents: Contents;
  #asked: number[] = [];
  /** Of `#asked`, how many are answered. */
  #answered = 0;
  #isFinished = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  /** Resolves when the other side has said its last. @throws Fault */
  readonly ended: Promise<void>;

  constructor(incoming: Packets, folder: string, options: TreeOptions = {}) {
    this.#walk = new TreeWalk(folder, this.#frames, options);
    this.#contents = new Contents(folder, this.#walk, this.#frames);
    this.ended = this.#listen(incoming);
    this.ended.catch((error: Error) => {
      this.#failure = error;
      this.#wake?.();
    });
  }

  /** What to send: framed packets, in batches. @throws Fault invalid, forbidden, unavailable */
  async *packets(): AsyncGenerator<Buffer, void, void> {
    let isTold = false;
    while (!isTold || !this.#isFinished) {
      if (!isTold) {
        isTold = !this.#walk.next();
        if (isTold) this.#frames.add({ type: packetType.stat });
        if (this.#frames.length > 0) yield this.#frames.take(this.#nextBytes(isTold));
      }
      this.#throwIfFailed();
      // Between entries, so that neither side waits for the other.
      if (this.#hasAsked) {
        this.#contents.next(() => this.#nextAsked());
        yield this.#frames.take(this.#nextBytes(isTold));
      } else if (isTold) await this.#more();
    }
    this.#frames.add({ type: packetType.finish });
    yield this.#frames.take();
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  get #hasAsked(): boolean {
    return !this.#contents.isIdle || this.#answered < this.#asked.length;
  }

  /** About as much as comes next. */
  #nextBytes(isTold: boolean): number {
    if (this.#hasAsked) return batchBytes + entriesBytes;
    return isTold ? 0 : entriesBytes;
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
  readonly #frames: Frames<typeof packet>;
  readonly #buffer = Buffer.allocUnsafeSlow(batchBytes);
  /** The file that did not fit the last batch. */
  #open: OpenFile | undefined;

  constructor(folder: string, walk: TreeWalk, frames: Frames<typeof packet>) {
    this.#folder = folder;
    this.#walk = walk;
    this.#frames = frames;
  }

  get isIdle(): boolean {
    return this.#open === undefined;
  }

  /** @param ask gives the next entry that is asked for. @throws Fault */
  next(ask: () => number | undefined): void {
    let room = batchBytes;
    while (room > 0) {
      if (this.#open === undefined) {
        const id = ask();
        if (id === undefined) return;
        this.#open = this.#openFile(id);
      }
      const file = this.#open;
      const length = read(file.descriptor, this.#buffer, room, file.path);
      if (length > 0) this.#frames.add({ type: packetType.data, id: file.id, data: this.#buffer.subarray(0, length) });
      file.left -= length;
      // Its end is a read of nothing, or a short one where it was to be.
      const isEnd = length === 0 || (length < room && file.left <= 0);
      room -= length;
      if (!isEnd) continue;
      this.#frames.add({ type: packetType.data, id: file.id });
      this[Symbol.dispose]();
    }
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
      return { id, path, left: size, descriptor: openSync(`${this.#folder}/${path}`, flags) };
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

/** As much as the file has, and there is room for. */
function read(descriptor: number, into: Buffer, room: number, path: string): number {
  try {
    return readSync(descriptor, into, 0, room, null);
  } catch (error) {
    throw unreadable(path, error);
  }
}
