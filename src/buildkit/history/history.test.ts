/** The memory of builds: bounded, found again by the next process, read while it is written. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusMessage } from '../control/status.ts';
import { GrpcFault } from '../grpc/status.ts';
import { historyFilter } from './filter.ts';
import { BuildHistory, type HistoryLimits } from './history.ts';

const root = mkdtempSync(join(tmpdir(), 'wherry-history-'));
after(() => rmSync(root, { recursive: true, force: true }));

const open = (folder: string, limits: Partial<HistoryLimits> = {}): BuildHistory => new BuildHistory(folder, limits);
const fresh = (): string => mkdtempSync(join(root, 'h-'));
const of = (ref: string, attributes: Record<string, string> = {}): Parameters<BuildHistory['begin']>[0] => ({
  ref,
  frontend: '',
  attributes,
  exporters: [],
});
const line = (text: string): StatusMessage => ({ logs: [{ vertex: 'v', stream: 1, message: Buffer.from(text) }] });
const done = { response: new Map([['image.name', 'x']]) };
const never = new AbortController().signal;

async function read(history: BuildHistory, ref: string): Promise<string> {
  let text = '';
  for await (const { logs } of history.progress(ref, never))
    for (const { message } of logs ?? []) text += Buffer.from(message ?? '').toString();
  return text;
}

test('what was told is told again, also by the next process', async () => {
  const folder = fresh();
  const history = open(folder);
  const recorder = history.begin(
    of('../../evil/ref', { target: 't', context: 'https://me:word@example.org/x.git#main' }),
  );
  const at = { seconds: 1n, nanos: 0 };
  recorder.add({ vertexes: [{ digest: 'a', name: 'a', started: at }] });
  recorder.add({
    vertexes: [{ digest: 'a', completed: at }, { digest: 'b', completed: at, cached: true }, { digest: 'c' }],
  });
  recorder.add({ ...line('hello '), warnings: [{ vertex: 'a' }] });
  recorder.add(line('world'));
  await recorder.end(done);
  for (const each of [history, open(folder)]) {
    const [record] = each.records();
    assert.equal(record!.ref, '../../evil/ref');
    assert.equal(record!.attributes['context'], 'https://xxxxx@example.org/x.git#main');
    assert.deepEqual(record!.steps, { total: 3, completed: 2, cached: 1 });
    assert.deepEqual([record!.warnings, record!.attributes['target'], record!.error], [1, 't', null]);
    assert.deepEqual(record!.response, { 'image.name': 'x' });
    assert.equal(await read(each, '../../evil/ref'), 'hello world');
  }
  assert.equal(readdirSync(folder).length, 2);
  await assert.rejects(read(history, 'other'), /no such job other/);
});

test('a build that goes on is followed from its beginning to its end, by several', async () => {
  const history = open(fresh());
  const recorder = history.begin(of('r'));
  recorder.add(line('1'));
  const first = read(history, 'r');
  await sleep(20);
  recorder.add(line('2'));
  const second = read(history, 'r');
  recorder.add(line('3'));
  await sleep(20);
  recorder.add(line('4'));
  await recorder.end(done);
  assert.deepEqual([await first, await second, await read(history, 'r')], ['1234', '1234', '1234']);
  const gone = new AbortController();
  const left = history.begin(of('s'));
  const followed = history.progress('s', gone.signal).next();
  gone.abort();
  assert.equal((await followed).done, true, 'who goes is let go');
  await left.end(done);
});

test('what a crash cut off is told as such; half a message is left out; files of others go', async () => {
  const folder = fresh();
  const history = open(folder);
  const recorder = history.begin(of('cut'));
  recorder.add(line('whole'));
  recorder.add(line('half'));
  await sleep(50);
  const log = join(folder, readdirSync(folder).find((name) => name.endsWith('.log'))!);
  truncateSync(log, readFileSync(log).length - 2);
  writeFileSync(join(folder, 'junk.json'), '{');
  writeFileSync(join(folder, 'stray.log'), 'x');
  const next = open(folder);
  assert.match(next.records()[0]!.error!.message, /the daemon ended while this was built/);
  assert.equal(await read(next, 'cut'), 'whole');
  assert.equal(readdirSync(folder).length, 2);
});

test('bounded in number, bytes and age; what is pinned stays', async () => {
  const build = async (history: BuildHistory, ref: string, text: string): Promise<void> => {
    const recorder = history.begin(of(ref));
    recorder.add(line(text));
    await recorder.end(done);
    await sleep(2);
  };
  const refs = (history: BuildHistory): string[] => history.records().map(({ ref }) => ref);
  const few = open(fresh(), { builds: 3 });
  await build(few, 'kept', '');
  await few.pin('kept', true);
  for (const ref of ['a', 'b', 'c', 'd']) await build(few, ref, '');
  assert.deepEqual(refs(few), ['d', 'c', 'b', 'kept']);
  const small = open(fresh(), { bytes: 1000 });
  for (const ref of ['a', 'b', 'c']) await build(small, ref, 'x'.repeat(400));
  assert.deepEqual(refs(small), ['c', 'b']);
  const short = open(fresh(), { days: 0 });
  await build(short, 'a', '');
  assert.deepEqual(refs(short), []);
  const folder = fresh();
  const quiet = open(folder, { logBytes: 100 });
  const recorder = quiet.begin(of('loud'));
  for (let count = 0; count < 1000; count++) recorder.add(line('y'.repeat(50)));
  recorder.add({ vertexes: [{ digest: 'last', name: 'last' }] });
  await recorder.end(done);
  assert.ok((await read(quiet, 'loud')).length < 300);
  assert.equal(quiet.records()[0]!.steps.total, 1);
});

test('deleting, and beginning the same again', async () => {
  const history = open(fresh());
  const { events, stop } = history.listen();
  const recorder = history.begin(of('r'));
  assert.throws(() => history.delete('r'), /it goes on/);
  await recorder.end({ error: new GrpcFault(2, 'failed', [{ typeUrl: 'u', value: Buffer.from('v') }]) });
  assert.deepEqual(history.records()[0]!.error, {
    code: 2,
    message: 'failed',
    details: [{ typeUrl: 'u', value: Buffer.from('v').toString('base64') }],
  });
  const again = history.begin(of('r'));
  await again.end(done);
  history.delete('r');
  assert.throws(() => history.delete('r'), /no such record/);
  await assert.rejects(history.pin('r', true), /no such record/);
  stop();
  const told: string[] = [];
  for await (const { type } of events) told.push(type);
  assert.deepEqual(told, ['started', 'complete', 'deleted', 'started', 'complete', 'deleted']);
});

test('pruned: what came to no end, or all that is over, but never what is pinned', async () => {
  const history = open(fresh());
  const ends = { whole: done, failed: { error: new GrpcFault(2, 'm') }, stopped: { error: new GrpcFault(1, 'm') } };
  for (const [ref, end] of Object.entries({ ...ends, pinned: { error: new GrpcFault(1, 'm') } }))
    await history.begin(of(ref)).end(end);
  await history.pin('pinned', true);
  const going = history.begin(of('going'));
  const refs = (): string[] =>
    history
      .records()
      .map(({ ref }) => ref)
      .sort();
  history.prune({ all: false });
  assert.deepEqual(refs(), ['failed', 'going', 'pinned', 'whole']);
  history.prune({ all: true });
  assert.deepEqual(refs(), ['going', 'pinned']);
  await going.end(done);
});

test('filters', () => {
  const record = {
    ...of('abc', { 'vcs:source': 'https://example.org/pkc.git' }),
    createdAt: '2026-01-02T00:00:00.000000000Z',
    completedAt: '2026-01-02T00:01:00.000000000Z',
    error: { code: 2, message: 'm', details: [] },
    response: {},
    pinned: false,
    steps: { total: 0, completed: 0, cached: 0 },
    warnings: 0,
    generation: 1,
  };
  for (const text of [
    'status==error',
    'status!=completed',
    'ref=abc',
    'repository~=pkc',
    'startedAt>2026-01-01',
    'completedAt<=2026-01-02T00:01:00Z',
    'startedAt<1h',
    'duration>30s',
    'duration<2m,status==error',
  ])
    assert.equal(historyFilter([text])(record), true, text);
  for (const text of ['status==running', 'ref~=x', 'duration>30s,status==canceled', 'startedAt>1h'])
    assert.equal(historyFilter([text])(record), false, text);
  assert.equal(historyFilter(['status==running', 'status==error'])(record), true);
  assert.equal(historyFilter(['status==running'])({ ...record, completedAt: null }), true);
  assert.equal(historyFilter(['status==canceled'])({ ...record, error: { ...record.error, code: 1 } }), true);
  for (const text of ['', 'x==1', 'status>1', 'startedAt==2026-01-01', 'startedAt>soon', 'duration>long'])
    assert.throws(() => historyFilter([text]), /invalid filter/, text);
});
