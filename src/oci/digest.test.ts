import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chainId, chainIds } from './chain-id.ts';
import { Digester, isDigest, parseDigest, sha256 } from './digest.ts';

test('digests parse strictly', () => {
  const text = `sha256:${'0a'.repeat(32)}`;
  assert.equal(parseDigest(text), text);
  assert.ok(isDigest(text));
  assert.ok(isDigest(`sha512:${'0'.repeat(128)}`));
  for (const bad of [
    '',
    'sha256:',
    'sha256:zz',
    `sha256:${'A'.repeat(64)}`,
    `md5:${'0'.repeat(32)}`,
    `sha256:${'0'.repeat(63)}`,
  ]) {
    assert.ok(!isDigest(bad), bad);
    assert.throws(() => parseDigest(bad), { kind: 'invalid' }, bad);
  }
});

test('a running digest equals the digest of the whole', () => {
  const digester = new Digester();
  digester.update(Buffer.from('ab'));
  digester.update(Buffer.from('c'));
  assert.equal(digester.size, 3);
  assert.equal(digester.digest(), sha256('abc'));
});

test('chain ids follow the image-spec', () => {
  const [a, b] = [sha256('a'), sha256('b')];
  assert.deepEqual(chainIds([a, b]), [a, sha256(`${a} ${b}`)]);
  assert.equal(chainId([]), undefined);
});
