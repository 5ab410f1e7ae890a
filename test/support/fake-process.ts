/**
 * A process without a kernel, for tests of the server: a few commands with stdio that pushes back, attachable by many.
 *   sh -c 'COMMANDS; …' · echo WORDS [>&2] · cat · sleep SECONDS · flood BYTES · count (prints how many bytes it read) · true
 */
import type { StdioFrame, StdioSession } from '../../src/api/index.ts';

/** One reader of a process's output. Holds at most `limit` bytes, then makes the process wait. */
class Reader {
  readonly #limit = 256 * 1024;
  #frames: StdioFrame[] = [];
  #size = 0;
  #ended = false;
  #wake: (() => void)[] = [];

  async push(frame: StdioFrame): Promise<void> {
    while (this.#size >= this.#limit && !this.#ended) await this.#changed();
    if (this.#ended) return;
    this.#frames.push(frame);
    this.#size += frame.data.length;
    this.#change();
  }

  end(): void {
    this.#ended = true;
    this.#change();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StdioFrame, void, void> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) {
        this.#size -= frame.data.length;
        this.#change();
        yield frame;
      } else if (this.#ended) return;
      else await this.#changed();
    }
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #change(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const each of wake) each();
  }
}

export class FakeProcess {
  readonly #command: readonly string[];
  readonly #tty: boolean;
  readonly #readers = new Set<Reader>();
  readonly #input = new Reader();
  readonly log: StdioFrame[] = [];
  readonly exited: Promise<number>;
  #exit!: (code: number) => void;
  #ended = false;
  /** Sessions handed out and not detached yet. */
  sessions = 0;
  /** Bytes the process was given. */
  received = 0;

  constructor(command: readonly string[], tty: boolean) {
    this.#command = command;
    this.#tty = tty;
    this.exited = new Promise((resolve) => {
      this.#exit = resolve;
    });
  }

  attach(): StdioSession {
    const reader = new Reader();
    if (this.#ended) reader.end();
    this.#readers.add(reader);
    this.sessions++;
    let attached = true;
    const gone = Promise.withResolvers<void>();
    return {
      tty: this.#tty,
      output: reader,
      write: (data) => Promise.race([this.#input.push({ stream: 'stdout', data }), gone.promise]),
      closeInput: () => {
        if (!this.#tty) this.#input.end();
      },
      detach: () => {
        if (!attached) return;
        attached = false;
        gone.resolve();
        this.sessions--;
        this.#readers.delete(reader);
        reader.end();
      },
    };
  }

  start(): void {
    void this.#run().then((code) => this.end(code));
  }

  end(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#input.end();
    for (const reader of this.#readers) reader.end();
    this.#exit(code);
  }

  async #run(): Promise<number> {
    const [name, , script = ''] = this.#command;
    if (name !== 'sh') return this.#execute(this.#command);
    let code = 0;
    for (const line of script.split(';')) {
      const words = line.trim().split(/\s+/);
      if (words[0] === 'exit') return Number(words[1]);
      if (!this.#ended) code = await this.#execute(words);
    }
    return code;
  }

  async #emit(stream: StdioFrame['stream'], data: Uint8Array): Promise<void> {
    const frame: StdioFrame = { stream: this.#tty ? 'stdout' : stream, data };
    if (this.log.length < 1000) this.log.push(frame);
    for (const reader of this.#readers) await reader.push(frame);
  }

  async #execute([name, ...args]: readonly string[]): Promise<number> {
    switch (name) {
      case 'echo': {
        const failing = args.at(-1) === '>&2';
        await this.#emit(
          failing ? 'stderr' : 'stdout',
          Buffer.from(`${(failing ? args.slice(0, -1) : args).join(' ')}\n`),
        );
        return 0;
      }
      case 'cat':
        for await (const { data } of this.#input) {
          this.received += data.length;
          await this.#emit('stdout', data);
        }
        return 0;
      case 'count':
        for await (const { data } of this.#input) this.received += data.length;
        await this.#emit('stdout', Buffer.from(`${this.received}\n`));
        return 0;
      case 'flood': {
        const block = Buffer.alloc(64 * 1024, 'x');
        for (let left = Number(args[0]); left > 0 && !this.#ended; left -= block.length) {
          await this.#emit('stdout', left >= block.length ? block : block.subarray(0, left));
          await new Promise((resolve) => setImmediate(resolve));
        }
        return 0;
      }
      case 'sleep':
        await Promise.race([
          new Promise((resolve) => setTimeout(resolve, Number(args[0]) * 1000).unref()),
          this.exited,
        ]);
        return 0;
      case 'true':
        return 0;
      default:
        await this.#emit('stderr', Buffer.from(`exec: ${JSON.stringify(name)}: executable file not found in $PATH\n`));
        return 127;
    }
  }
}
