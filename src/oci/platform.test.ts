import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePlatform, formatPlatform, normalizePlatform, parsePlatform, platformDistance } from './platform.ts';

test('platforms normalise as containerd does', () => {
  const cases: [string, string][] = [
    ['linux/x86_64', 'linux/amd64'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/6', 'linux/arm/v6'],
    ['linux/armhf', 'linux/arm/v7'],
    ['Linux/AMD64', 'linux/amd64'],
    ['macos/arm64', 'darwin/arm64'],
    ['riscv64', 'linux/riscv64'],
  ];
  for (const [text, normal] of cases) assert.equal(formatPlatform(parsePlatform(text)), normal, text);
  for (const bad of ['', 'a/b/c/d', 'linux/', 'li nux/amd64'])
    assert.throws(() => parsePlatform(bad), { kind: 'invalid' });
});

test('the nearest platform is chosen', () => {
  const offers = ['linux/arm64', 'linux/arm/v6', 'linux/arm/v7', 'windows/amd64', 'linux/386', 'linux/amd64'].map(
    parsePlatform,
  );
  const choose = (wanted: string): string | undefined => {
    const found = choosePlatform(parsePlatform(wanted), offers, (each) => each);
    return found === undefined ? undefined : formatPlatform(found);
  };
  assert.equal(choose('linux/amd64'), 'linux/amd64');
  assert.equal(choose('linux/amd64/v3'), 'linux/amd64');
  assert.equal(choose('linux/arm64'), 'linux/arm64');
  assert.equal(choose('linux/arm/v7'), 'linux/arm/v7');
  assert.equal(choose('linux/arm/v5'), undefined);
  assert.equal(choose('linux/s390x'), undefined);
  assert.equal(
    platformDistance(parsePlatform('linux/amd64'), normalizePlatform({ os: 'linux', architecture: 'arm64' })),
    undefined,
  );
});
