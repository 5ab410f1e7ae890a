import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLogger, isJournal, withPriority } from './log.ts';

function lines(format: 'text' | 'json', priorities: boolean): string[] {
  const written: string[] = [];
  const log = createLogger({
    level: 'debug',
    format,
    priorities,
    write: (line) => written.push(line),
    now: () => new Date(0),
  });
  log.debug('d');
  log.info('i', { a: 1 });
  log.warn('w\nx');
  log.error('e');
  return written;
}

describe('the journal', () => {
  test('lines carry their priority, one line a message', () => {
    assert.deepEqual(
      lines('text', true).map((line) => line.slice(0, 3)),
      ['<7>', '<6>', '<4>', '<3>'],
    );
    assert.equal(lines('json', true)[1], '<6>{"time":"1970-01-01T00:00:00.000Z","level":"info","msg":"i","a":1}\n');
    assert.ok(lines('text', true).every((line) => line.indexOf('\n') === line.length - 1));
    assert.equal(lines('text', false)[3], 'time="1970-01-01T00:00:00.000Z" level=error msg=e\n');
  });
  test('only where standard error is the journal itself', () => {
    const stat = { dev: 8, ino: 123 };
    assert.equal(isJournal({ JOURNAL_STREAM: '8:123' }, stat), true);
    assert.equal(isJournal({ JOURNAL_STREAM: '8:124' }, stat), false, 'inherited, but led elsewhere');
    assert.equal(isJournal({}, stat), false);
  });
  test('every line of a stack has its priority', () => {
    assert.equal(withPriority('error', 'Error: x\n    at y\n'), '<3>Error: x\n<3>    at y\n');
  });
});
