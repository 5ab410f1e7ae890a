import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pastaDate } from './program.ts';

test('versions of pasta, as distributions write them', () => {
  for (const [version, date] of [
    ['pasta 0.0~git20250503.587980c-2', 20_250_503],
    ['pasta 2024_10_30.ee7d0b6', 20_241_030],
    ['pasta 0^20240220.g1e6f92b-1.fc40.x86_64', 20_240_220],
    ['pasta unknown version', undefined],
    ['', undefined],
  ] as const)
    assert.equal(pastaDate(version), date, version);
});
