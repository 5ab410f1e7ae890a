/** Lines of several containers, each behind its name in a colour of its own: docker compose's layout. */
import type { LogSink } from '../../compose/index.ts';
import type { Output } from '../output/stream.ts';

export interface LogLook {
  isColored: boolean;
  hasPrefix: boolean;
  hasTimestamps: boolean;
}

const rainbow = ['36', '33', '32', '35', '34', '36;1', '33;1', '32;1', '35;1', '34;1'];

export class LogPrinter implements LogSink {
  readonly #out: Output;
  readonly #err: Output;
  readonly #look: LogLook;
  readonly #colors = new Map<string, string>();
  #width = 0;

  constructor(out: Output, err: Output, look: LogLook) {
    this.#out = out;
    this.#err = err;
    this.#look = look;
  }

  /** Names known beforehand line up from the first line on. */
  register(names: readonly string[]): void {
    for (const name of names) this.#colorOf(name);
  }

  line(source: string, line: string, stream: 'stdout' | 'stderr'): void {
    const color = this.#colorOf(source);
    const prefix = this.#look.hasPrefix ? this.#paint(color, `${source.padEnd(this.#width)}  | `) : '';
    const stamp = this.#look.hasTimestamps ? `${new Date().toISOString()} ` : '';
    (stream === 'stderr' ? this.#err : this.#out).write(`${prefix}${stamp}${line}\n`);
  }

  status(source: string, text: string): void {
    const clear = this.#out.isTerminal ? '\r\x1b[K' : '';
    this.#out.write(this.#paint(this.#colorOf(source), `${clear}${source} ${text}\n`));
  }

  /** A hook's lines ("web-1 ->") have their container's colour. */
  #colorOf(name: string): string {
    const known = this.#colors.get(name);
    if (known !== undefined) return known;
    const [owner = ''] = name.split(' ');
    const color = owner === name ? rainbow[this.#colors.size % rainbow.length]! : this.#colorOf(owner);
    this.#colors.set(name, color);
    this.#width = Math.max(this.#width, name.length);
    return color;
  }

  #paint(color: string, text: string): string {
    return this.#look.isColored ? `\x1b[${color}m${text}\x1b[0m` : text;
  }
}
