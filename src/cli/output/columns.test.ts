import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { displayPorts, exposureOf } from './ports.ts';
import { barText } from './progress.ts';
import { ellipsis, shortId } from './short.ts';
import { alignColumns } from './tabwriter.ts';

const port = (IP: string, PublicPort: number, PrivatePort = 80) => ({ IP, PrivatePort, PublicPort, Type: 'tcp' });

describe('columns', () => {
  test('cells are as wide as their column and three spaces apart', () => {
    assert.equal(alignColumns('NAME\tID\nlonger-name\t1\n'), 'NAME          ID\nlonger-name   1\n');
  });
  test('ports: published, exposed, neighbours as a range', () => {
    assert.equal(displayPorts([port('0.0.0.0', 8080)]), '0.0.0.0:8080->80/tcp');
    assert.equal(
      displayPorts([
        { PrivatePort: 80, Type: 'tcp' },
        { PrivatePort: 81, Type: 'tcp' },
      ]),
      '80-81/tcp',
    );
  });
  test('exposure: the widest reach of any port counts', () => {
    assert.equal(exposureOf([]), 'none');
    assert.equal(exposureOf([port('127.0.0.1', 1)]), 'loopback');
    assert.equal(exposureOf([port('127.0.0.1', 1), port('192.168.1.5', 2)]), 'lan');
    assert.equal(exposureOf([port('127.0.0.1', 1), port('0.0.0.0', 2)]), 'world');
  });
  test('short forms', () => {
    assert.equal(shortId(`sha256:${'a'.repeat(64)}`), 'a'.repeat(12));
    assert.equal(ellipsis('abcdef', 4), 'abc…');
  });
  test('a bar fits its columns', () => {
    const bar = barText({ progressDetail: { current: 50, total: 100 } }, 120);
    assert.match(bar, /^ \[=+>\s*\]/);
    assert.ok(bar.length <= 120);
  });
});
