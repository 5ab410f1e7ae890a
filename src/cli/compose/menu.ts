/** The line of keys below an attached `up` on a terminal: d leaves it running, w watches files. Off with `--menu=false` or COMPOSE_MENU=false. */
import type { Output } from '../output/stream.ts';
import type { Session } from '../session.ts';

export interface MenuActions {
  detach(): void;
  /** Undefined where no service has something to watch. @returns whether it is on now */
  toggleWatch: (() => boolean) | undefined;
  /** Ctrl-C: a terminal that reads keys makes no signal of it. */
  interrupt(): void;
}

const interruptKey = 3;

export class Menu {
  readonly #session: Session;
  readonly #actions: MenuActions;
  readonly #out: Output;
  #restore: (() => void) | undefined;
  #isWatching = false;
  #isShown = false;

  constructor(session: Session, actions: MenuActions) {
    this.#session = session;
    this.#actions = actions;
    this.#out = session.out;
  }

  open(): void {
    this.#restore = this.#session.in.raw();
    void this.#readKeys();
    this.#draw();
  }

  /** Lines go above it. */
  above(output: Output): Output {
    const write = (text: string | Uint8Array): void => {
      this.#clear();
      output.write(text);
      if (this.#restore !== undefined) this.#draw();
    };
    return { write, isTerminal: output.isTerminal, columns: output.columns, rows: output.rows };
  }

  close(): void {
    if (this.#restore === undefined) return;
    this.#clear();
    this.#restore();
    this.#restore = undefined;
    this.#session.in.stop();
  }

  async #readKeys(): Promise<void> {
    for await (const chunk of this.#session.in.read())
      for (const byte of chunk) {
        if (this.#restore === undefined) return;
        this.#take(byte);
      }
  }

  #take(byte: number): void {
    const key = String.fromCharCode(byte).toLowerCase();
    if (byte === interruptKey) this.#actions.interrupt();
    else if (key === 'd') this.#actions.detach();
    else if (key === 'w' && this.#actions.toggleWatch !== undefined) {
      this.#isWatching = this.#actions.toggleWatch();
      this.#clear();
      this.#draw();
    }
  }

  #draw(): void {
    const watch =
      this.#actions.toggleWatch === undefined ? '' : `w ${this.#isWatching ? 'Disable' : 'Enable'} Watch   `;
    this.#out.write(`\x1b[2m${watch}d Detach   Ctrl-C Stop\x1b[0m`);
    this.#isShown = true;
  }

  #clear(): void {
    if (this.#isShown) this.#out.write('\r\x1b[K');
    this.#isShown = false;
  }
}
