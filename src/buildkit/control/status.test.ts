import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../std/index.ts';
import { statusResponse } from '../message/control.ts';
import { decode, encode } from '../protobuf/codec.ts';
import { buildFault } from './failure.ts';
import { statusMessage, vertexNames } from './status.ts';

const told = (event: Parameters<typeof statusMessage>[0]): ReturnType<typeof statusMessage> =>
  statusMessage(event, (digest) => digest);

const range = { file: 'Dockerfile', start: { line: 2, column: 1 }, end: { line: 2, column: 9 } };

test('a warning keeps its place and its text through the wire', () => {
  const message = told({
    kind: 'warning',
    vertex: 'sha256:1',
    level: 1,
    short: 'short',
    detail: ['one', 'two'],
    url: 'https://docs.example',
    range,
    text: 'FROM a\nRUN x y z\n',
  });
  const [warning] = decode(statusResponse, encode(statusResponse, message ?? {})).warnings;
  assert.equal(Buffer.from(warning!.info!.data).toString(), 'FROM a\nRUN x y z\n');
  assert.deepEqual(warning?.ranges, [{ start: { line: 2, character: 0 }, end: { line: 2, character: 8 } }]);
  assert.deepEqual(warning?.detail.map(String), ['one', 'two']);
});

test('times keep their nanoseconds; what only the classic builder shows is not told', () => {
  const message = told({
    kind: 'log',
    vertex: 'v',
    stream: 'stderr',
    data: Buffer.from('x'),
    timestamp: '2026-01-02T03:04:05.123456789Z',
  });
  const [log] = decode(statusResponse, encode(statusResponse, message ?? {})).logs;
  assert.deepEqual(log?.timestamp, { seconds: 1_767_323_045n, nanos: 123_456_789 });
  assert.equal(log?.stream, 2);
  assert.equal(told({ kind: 'instructions', instructions: [{ text: 'RUN x', vertex: 'v' }] }), undefined);
});

test('a failure of the Dockerfile carries its place, another fault its kind', () => {
  const cause = { message: 'it failed', source: range, text: 'FROM a\nRUN x\n', exitCode: 7, vertex: 'sha256:1' };
  const fault = buildFault(new Fault('invalid', 'wrapped', { cause }), (digest) => digest);
  assert.equal(fault.message, 'it failed');
  assert.deepEqual(
    fault.details.map(({ typeUrl }) => typeUrl),
    ['github.com/moby/buildkit/errdefs.Vertex+json', 'github.com/moby/buildkit/errdefs.Source+json'],
  );
  const source = JSON.parse(Buffer.from(fault.details[1]!.value).toString()) as { info: { data: string } };
  assert.equal(Buffer.from(source.info.data, 'base64').toString(), 'FROM a\nRUN x\n');
  assert.equal(buildFault(new Fault('not-found', 'no such thing'), (digest) => digest).kind, 'not-found');
});

test('the same step of two builds is two vertices', () => {
  const [one, two] = [vertexNames('one'), vertexNames('two')];
  assert.match(one('sha256:a'), /^sha256:[\da-f]{64}$/);
  assert.equal(one('sha256:a'), one('sha256:a'));
  assert.notEqual(one('sha256:a'), two('sha256:a'));
});
