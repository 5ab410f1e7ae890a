import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseFilters } from '../api/index.ts';
import { nowNanos } from '../std/index.ts';
import { Events } from './events.ts';

const start = {
  Type: 'container' as const,
  Action: 'start',
  Actor: { ID: 'abc123', Attributes: { name: 'web', image: 'nginx:1', tier: 'front' } },
};

async function take(
  events: Events,
  options: { since?: bigint; until?: bigint; filters?: string },
  during: () => void = () => {},
): Promise<string[]> {
  const controller = new AbortController();
  const stream = events.subscribe(
    { since: options.since, until: options.until, filters: parseFilters(options.filters) },
    controller.signal,
  );
  during();
  setTimeout(() => controller.abort(), 20);
  const seen: string[] = [];
  for await (const event of stream) seen.push(event.Action);
  return seen;
}

describe('events', () => {
  test('live ones arrive, past ones with since, and until ends it', async () => {
    const events = new Events();
    const before = nowNanos();
    events.emit(start);
    assert.deepEqual(await take(events, {}, () => events.emit({ ...start, Action: 'die' })), ['die']);
    assert.deepEqual(await take(events, { since: before, until: nowNanos() }), ['start', 'die']);
    assert.equal(events.listeners, 0);
  });
  const cases: [string, boolean][] = [
    ['{"type":["container"]}', true],
    ['{"type":["image"]}', false],
    ['{"container":["web"]}', true],
    ['{"container":["abc"]}', true],
    ['{"container":["other"]}', false],
    ['{"event":["start","die"]}', true],
    ['{"label":["tier=front"]}', true],
    ['{"label":["tier=back"]}', false],
    ['{"image":["nginx"]}', true],
    ['{"type":["container"],"event":["stop"]}', false],
  ];
  for (const [filters, passes] of cases) {
    test(`${filters} ${passes ? 'passes' : 'stops'} a start`, async () => {
      const events = new Events();
      assert.deepEqual(await take(events, { filters }, () => events.emit(start)), passes ? ['start'] : []);
    });
  }
  test('health_status and exec_start match by their first word', async () => {
    const events = new Events();
    const health = { ...start, Action: 'health_status: healthy' };
    assert.deepEqual(await take(events, { filters: '{"event":["health_status"]}' }, () => events.emit(health)), [
      'health_status: healthy',
    ]);
  });
  test('an unknown filter is refused', () => {
    assert.throws(
      () => new Events().subscribe({ filters: parseFilters('{"bogus":["x"]}') }, new AbortController().signal),
      /invalid filter 'bogus'/,
    );
  });
});
