import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mergeConfig } from './merge.ts';

describe('mergeConfig', () => {
  const image = {
    Env: ['PATH=/bin', 'A=image'],
    Cmd: ['serve'],
    Entrypoint: ['/init'],
    WorkingDir: '/srv',
    User: 'app',
    Labels: { a: '1', b: '1' },
    ExposedPorts: { '80/tcp': {} },
    StopSignal: 'SIGINT',
  };
  test("the client's command keeps the image's entrypoint", () => {
    const merged = mergeConfig({ Cmd: ['other'] }, image);
    assert.deepEqual([merged.Entrypoint, merged.Cmd], [['/init'], ['other']]);
  });
  test("the client's entrypoint drops the image's command", () => {
    const merged = mergeConfig({ Entrypoint: ['/mine'] }, image);
    assert.deepEqual([merged.Entrypoint, merged.Cmd ?? null], [['/mine'], null]);
  });
  test('an entrypoint of one empty string clears it', () => {
    assert.equal(mergeConfig({ Entrypoint: [''], Cmd: ['sh'] }, image).Entrypoint, null);
  });
  test('environment: the client wins, a bare name takes a variable out', () => {
    assert.deepEqual(mergeConfig({ Env: ['A=client'] }, image).Env, ['A=client', 'PATH=/bin']);
    assert.deepEqual(mergeConfig({ Env: ['A'] }, image).Env, ['PATH=/bin']);
  });
  test('labels and ports add up, user, folder and signal are inherited', () => {
    const merged = mergeConfig({ Labels: { b: '2' }, ExposedPorts: { '53/udp': {} } }, image);
    assert.deepEqual(merged.Labels, { a: '1', b: '2' });
    assert.deepEqual(Object.keys(merged.ExposedPorts!).sort(), ['53/udp', '80/tcp']);
    assert.deepEqual([merged.User, merged.WorkingDir, merged.StopSignal], ['app', '/srv', 'SIGINT']);
  });
  test('a health check without a test keeps the image’s and takes over the times that are set', () => {
    const merged = mergeConfig(
      { Healthcheck: { Interval: 5e9 } },
      { Healthcheck: { Test: ['CMD', 'x'], Interval: 1e9, Retries: 4 } },
    );
    assert.deepEqual(
      [merged.Healthcheck?.Test, merged.Healthcheck?.Interval, merged.Healthcheck?.Retries],
      [['CMD', 'x'], 5e9, 4],
    );
  });
});
