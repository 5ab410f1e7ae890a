import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenges } from './challenge.ts';

test('challenges as registries send them', () => {
  assert.deepEqual(
    parseChallenges(
      'Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull,push",error="invalid_token"',
    ),
    [
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.example/token',
          service: 'reg',
          scope: 'repository:a/b:pull,push',
          error: 'invalid_token',
        },
      },
    ],
  );
  assert.deepEqual(parseChallenges('Basic realm="a \\"b\\""'), [{ scheme: 'basic', parameters: { realm: 'a "b"' } }]);
  assert.deepEqual(
    parseChallenges('Negotiate, Basic realm=x, Bearer realm="y"').map(({ scheme }) => scheme),
    ['negotiate', 'basic', 'bearer'],
  );
  assert.deepEqual(parseChallenges(''), []);
});
