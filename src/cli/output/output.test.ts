/** Tables, ports, exposure, JSON, progress, times. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CaughtOutput } from '../fixture.ts';
import { indentJson } from './indent-json.ts';
import { naturalOrder } from './natural-order.ts';
import { displayPorts, exposureOf } from './ports.ts';
import { barText, ProgressBoard, showProgress } from './progress.ts';
import { ellipsis, shortId } from './short.ts';
import { alignColumns } from './tabwriter.ts';
import { apiTimestamp } from './timestamp.ts';

describe('tabwriter', () => {
  test('a column is as wide as its widest cell and three, at least ten', () => {
    assert.equal(alignColumns('ID\tNAME\nabcdefghijkl\tx\n'), 'ID             NAME\nabcdefghijkl   x\n');
    assert.equal(alignColumns('A\tB\n1\t2\n'), 'A         B\n1         2\n');
  });

  test('a line without a cell ends the column', () => {
    assert.equal(alignColumns('abcdefghijklm\tb\nplain\na\tb\n'), 'abcdefghijklm   b\nplain\na         b\n');
  });
});

describe('ports', () => {
  const port = (IP: string, PublicPort: number, PrivatePort: number, Type = 'tcp') => ({
    IP,
    PublicPort,
    PrivatePort,
    Type,
  });

  test("Docker's text", () => {
    assert.equal(displayPorts([]), '');
    assert.equal(displayPorts([{ PrivatePort: 80, Type: 'tcp' }]), '80/tcp');
    assert.equal(
      displayPorts([port('::', 8080, 80), port('0.0.0.0', 8080, 80)]),
      '0.0.0.0:8080->80/tcp, [::]:8080->80/tcp',
    );
    assert.equal(displayPorts([port('0.0.0.0', 80, 80), port('0.0.0.0', 81, 81)]), '0.0.0.0:80-81->80-81/tcp');
    assert.equal(
      displayPorts([
        { PrivatePort: 90, Type: 'udp' },
        { PrivatePort: 91, Type: 'udp' },
      ]),
      '90-91/udp',
    );
  });

  test('exposure is how far away one may be', () => {
    assert.equal(exposureOf([{ PrivatePort: 80, Type: 'tcp' }]), 'none');
    assert.equal(exposureOf([port('127.0.0.1', 1, 1), port('::1', 1, 1)]), 'loopback');
    assert.equal(exposureOf([port('127.0.0.1', 1, 1), port('192.168.1.2', 1, 1)]), 'lan');
    assert.equal(exposureOf([port('fd00::1', 1, 1)]), 'lan');
    assert.equal(exposureOf([port('0.0.0.0', 1, 1)]), 'world');
    assert.equal(exposureOf([port('203.0.113.9', 1, 1)]), 'world');
    assert.equal(exposureOf([], 'host'), 'world');
  });
});

describe('JSON', () => {
  test('as Go indents it, with numbers and escapes untouched', () => {
    const text = '{"a":[1,12345678901234567890],"b":{},"c":[ ],"d":"x\\u003c{\\"","e":{"10":1,"2":null}}';
    assert.equal(
      indentJson(text, '    '),
      '{\n    "a": [\n        1,\n        12345678901234567890\n    ],\n    "b": {},\n    "c": [],\n    "d": "x\\u003c{\\"",\n    "e": {\n        "10": 1,\n        "2": null\n    }\n}',
    );
  });

  test('any value keeps its meaning', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        assert.deepEqual(JSON.parse(indentJson(text, '    ')), JSON.parse(text));
      }),
    );
  });
});

describe('progress', () => {
  test('plain lines where there is no terminal: no bars, every state', async () => {
    const out = new CaughtOutput();
    async function* lines() {
      yield { status: 'Pulling from library/busybox', id: 'latest' };
      yield { status: 'Pulling fs layer', progressDetail: {}, id: 'abc' };
      yield { status: 'Downloading', progressDetail: { current: 1, total: 2 }, id: 'abc' };
      yield { status: 'Pull complete', progressDetail: {}, id: 'abc' };
      yield { status: 'Digest: sha256:1' };
    }
    await showProgress(lines(), out);
    assert.equal(
      out.text,
      'latest: Pulling from library/busybox\nabc: Pulling fs layer\nabc: Pull complete\nDigest: sha256:1\n',
    );
  });

  test('a line per layer in place on a terminal, a write per frame', () => {
    const out = new CaughtOutput(true);
    let now = 1000;
    const board = new ProgressBoard(out, () => now);
    board.show({ status: 'Pulling', id: 'a' });
    assert.equal(out.text, '\x1b[2Ka: Pulling\r\n');
    out.text = '';
    now += 1;
    board.show({ status: 'Downloading', id: 'b', progressDetail: { current: 5, total: 10 } });
    assert.equal(out.text, '');
    now += 100;
    board.show({ status: 'Done', id: 'a' });
    assert.equal(out.text, '\x1b[1A\x1b[2Ka: Done\r\n\x1b[2Kb: Downloading       5B/10B\r\n');
    out.text = '';
    board.flush();
    assert.equal(out.text, '');
  });

  test('bars need room', () => {
    assert.equal(
      barText({ progressDetail: { current: 50, total: 100 } }, 120),
      ` [${'='.repeat(25)}>${' '.repeat(25)}]      50B/100B`,
    );
    assert.equal(barText({ progressDetail: {} }, 120), '');
  });

  test('a failure in the stream is thrown', async () => {
    async function* lines() {
      yield { error: 'no', errorDetail: { message: 'no' } };
    }
    await assert.rejects(showProgress(lines(), undefined), { message: 'no' });
  });
});

test('ids, ellipses, order', () => {
  assert.equal(shortId(`sha256:${'a'.repeat(64)}`), 'a'.repeat(12));
  assert.equal(ellipsis('abcdef', 4), 'abc…');
  assert.equal(ellipsis('abc', 4), 'abc');
  assert.deepEqual(['a10', 'a2', 'B', 'a'].sort(naturalOrder), ['B', 'a', 'a2', 'a10']);
});

test('times as the API wants them', () => {
  const now = Date.parse('2026-01-01T00:10:00Z');
  assert.equal(apiTimestamp('10m', now, 'since'), `${Date.parse('2026-01-01T00:00:00Z') / 1000}.000000000`);
  assert.equal(apiTimestamp('1700000000.5', now, 'since'), '1700000000.5');
  assert.equal(
    apiTimestamp('2026-01-01T00:00:00.25Z', now, 'since'),
    `${Date.parse('2026-01-01T00:00:00Z') / 1000}.250000000`,
  );
  assert.throws(() => apiTimestamp('5x', now, 'since'), {
    message: 'invalid value for "since": failed to parse value as time or duration: "5x"',
  });
});
