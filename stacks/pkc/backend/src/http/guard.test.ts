import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Asked, guard } from './guard.ts';

const none = { origins: new Set<string>(), hosts: new Set<string>() };
const ask = (more: Partial<Asked>): Asked => ({
  method: 'GET',
  host: '127.0.0.1:8000',
  origin: undefined,
  site: undefined,
  ...more,
});

test('addresses and names of the local network are answered, other names only when they are ours', () => {
  for (const host of [
    '127.0.0.1:8000',
    '[::1]:8000',
    'localhost',
    '192.168.1.4:3000',
    'nas:3000',
    'nas.local',
    'pkc.home.arpa',
    'backend:8000',
  ])
    assert.equal(guard(ask({ host }), none), undefined, host);
  for (const host of [undefined, 'evil.example', 'localhost.evil.example', 'a b', ''])
    assert.throws(() => guard(ask({ host }), none), { code: 'unknown_host' }, String(host));
  guard(ask({ host: 'notes.example:443' }), { ...none, hosts: new Set(['notes.example']) });
});

test('a change is for the page itself, and for pages that were named', () => {
  const post = (more: Partial<Asked>): Asked => ask({ method: 'POST', ...more });
  assert.equal(guard(post({ origin: 'http://127.0.0.1:8000' }), none), 'http://127.0.0.1:8000');
  assert.equal(guard(post({ origin: 'http://localhost:3000' }), none), 'http://localhost:3000');
  assert.equal(guard(post({}), none), undefined);
  assert.throws(() => guard(post({ site: 'cross-site' }), none), { code: 'cross_origin' });
  for (const origin of [
    'https://evil.example',
    'null',
    'http://localhost.evil.example',
    'http://127.0.0.1.evil.example:3000',
  ])
    assert.throws(() => guard(post({ origin }), none), { code: 'cross_origin' }, origin);
  assert.equal(guard(ask({ origin: 'https://evil.example' }), none), undefined);
  assert.equal(
    guard(post({ origin: 'https://a.example' }), { ...none, origins: new Set(['https://a.example']) }),
    'https://a.example',
  );
});
