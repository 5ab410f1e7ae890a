/** Frames over one another, as a small terminal would show them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Output } from '../../output/stream.ts';
import type { FrameLine } from './frame.ts';
import { Terminal } from './terminal.ts';

/** What such a terminal shows: it knows the few sequences that are used, and wraps lines that are too long when it becomes narrower. */
class Screen implements Output {
  readonly isTerminal = true;
  columns = 20;
  readonly rows = 24;
  readonly lines: string[] = [''];
  isCursorShown = true;
  written = '';
  #row = 0;

  write(bytes: string | Uint8Array): void {
    const text = String(bytes);
    this.written += text;
    for (const [piece] of text.matchAll(/\u001b\[[?\d;]*[A-Za-z]|\r|\n|[^\u001b\r\n]+/g)) this.#take(piece);
  }

  #take(piece: string): void {
    const up = /^\u001b\[(\d+)A$/.exec(piece)?.[1];
    if (up !== undefined) this.#row -= Number(up);
    else if (piece === '\n') this.lines[++this.#row] ??= '';
    else if (piece === '\u001b[2K') this.lines[this.#row] = '';
    else if (piece === '\u001b[J') this.lines.splice(this.#row, this.lines.length, '');
    else if (piece === '\u001b[?25l' || piece === '\u001b[?25h') this.isCursorShown = piece.endsWith('h');
    else if (!piece.startsWith('\u001b') && piece !== '\r') this.lines[this.#row] += piece;
    assert.ok(this.#row >= 0, 'above the first line');
  }

  narrow(columns: number): void {
    this.columns = columns;
    const before = this.lines.splice(0);
    for (const line of before) this.lines.push(...(line.match(new RegExp(`.{1,${columns}}`, 'g')) ?? ['']));
    this.#row = this.lines.length - 1;
  }
}

const lines = (...texts: readonly string[]): FrameLine[] => texts.map((text) => ({ text, color: undefined }));

test('each frame takes the place of the one before', () => {
  const screen = new Screen();
  screen.write('$ wherry build\n');
  const terminal = new Terminal(screen, false);
  assert.equal(screen.isCursorShown, false);
  terminal.draw(lines('head 1', 'a', 'b', 'c'));
  terminal.draw(lines('head 2', 'a', 'B', 'c', 'd'));
  assert.deepEqual(screen.lines, ['$ wherry build', 'head 2', 'a', 'B', 'c', 'd', '']);
  terminal.draw(lines('head 3', 'x'));
  assert.deepEqual(screen.lines, ['$ wherry build', 'head 3', 'x', '']);
  terminal[Symbol.dispose]();
  assert.equal(screen.isCursorShown, true);
});

test('what did not change is not written again', () => {
  const screen = new Screen();
  using terminal = new Terminal(screen, false);
  terminal.draw(lines('head 1', 'the same'));
  screen.written = '';
  terminal.draw(lines('head 2', 'the same'));
  assert.match(screen.written, /head 2/);
  assert.doesNotMatch(screen.written, /the same/);
});

test('a terminal that became narrower keeps what was above', () => {
  const screen = new Screen();
  screen.write('above\n');
  using terminal = new Terminal(screen, false);
  terminal.draw(lines('12345678901234567890', 'short'));
  screen.narrow(10);
  terminal.draw(lines('1234567890', 'short'));
  assert.deepEqual(screen.lines, ['above', '1234567890', 'short', '']);
});

test('colours where they are wanted', () => {
  const screen = new Screen();
  using plain = new Terminal(screen, false);
  plain.draw([{ text: 'x', color: 'error' }]);
  assert.doesNotMatch(screen.written, /\u001b\[31m/);
  using colored = new Terminal(screen, true);
  colored.draw([{ text: 'x', color: 'error' }]);
  assert.match(screen.written, /\u001b\[31mx\u001b\[0m\n/);
});
