import assert from 'node:assert/strict';
import { test } from 'node:test';
import { continued, indented, linkBeingTyped, linked, type Text, ticked, wrapped } from './editing.ts';

/** `|` marks the caret, or both ends of a selection. */
function at(text: string): Text {
  const start = text.indexOf('|');
  const end = text.indexOf('|', start + 1);
  return { value: text.replaceAll('|', ''), start, end: end < 0 ? start : end - 1 };
}
const shown = ({ value, start, end }: Text): string =>
  start === end
    ? `${value.slice(0, start)}|${value.slice(start)}`
    : `${value.slice(0, start)}|${value.slice(start, end)}|${value.slice(end)}`;

test('bold and back, links', () => {
  assert.equal(shown(wrapped(at('a |b| c'), '**')), 'a **|b|** c');
  assert.equal(shown(wrapped(at('a **|b|** c'), '**')), 'a |b| c');
  assert.equal(shown(linked(at('see |this|'))), 'see [this](|)');
  assert.equal(shown(linked(at('|https://a.example|'))), '[|](https://a.example)');
});

test('lists go on, and end', () => {
  assert.equal(shown(continued(at('- a|'))!), '- a\n- |');
  assert.equal(shown(continued(at('  3. a|b'))!), '  3. a\n  4. |b');
  assert.equal(shown(continued(at('- [x] done|'))!), '- [x] done\n- [ ] |');
  assert.equal(shown(continued(at('- a\n- |'))!), '- a\n|');
  assert.equal(continued(at('plain|')), undefined);
});

test('indenting, tasks, links under way', () => {
  assert.equal(shown(indented(at('- a|'), false)), '  - a|');
  assert.equal(shown(indented(at('|a\nb|'), false)), '  |a\n  b|');
  assert.equal(shown(indented(at('  - a|'), true)), '- a|');
  assert.equal(shown(indented(at('x|'), false)), 'x  |');
  assert.equal(ticked('- [ ] a\n```\n- [ ] code\n```\n1. [x] b', 1), '- [ ] a\n```\n- [ ] code\n```\n1. [ ] b');
  assert.equal(ticked('- [ ] a', 0), '- [x] a');
  assert.deepEqual(linkBeingTyped(at('see [[Ro|')), { from: 6, text: 'Ro' });
  assert.equal(linkBeingTyped(at('see [[Ro]] |')), undefined);
});
