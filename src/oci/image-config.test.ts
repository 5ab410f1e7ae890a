import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseImageConfig } from './image-config.ts';

const parse = (value: object): ReturnType<typeof parseImageConfig> =>
  parseImageConfig(Buffer.from(JSON.stringify(value)));
const rootfs = { type: 'layers', diff_ids: [] };

test('what an image may say is kept, and a command may be one string', () => {
  const config = {
    Env: ['A=1'],
    Cmd: 'sh',
    Entrypoint: null,
    Labels: { a: 'b' },
    ExposedPorts: { '80/tcp': {} },
    Volumes: { '/v': null },
    Healthcheck: { Test: ['CMD', 'true'], Interval: 5 },
    Unknown: { deep: [1] },
  };
  const { config: parsed } = parse({ rootfs, config });
  assert.deepEqual(parsed, { ...config, Cmd: ['sh'] });
  assert.equal(parse({ rootfs }).config, undefined);
});

const wrong: [config: unknown, field: string][] = [
  [{ Env: 'A=1' }, 'config.Env'],
  [{ Env: [1] }, 'config.Env'],
  [{ Cmd: { a: 'b' } }, 'config.Cmd'],
  [{ Labels: ['x'] }, 'config.Labels'],
  [{ Labels: { a: 1 } }, 'config.Labels'],
  [{ User: 0 }, 'config.User'],
  [{ Tty: 'yes' }, 'config.Tty'],
  [{ Volumes: { '/v': 'x' } }, 'config.Volumes'],
  [{ ExposedPorts: [] }, 'config.ExposedPorts'],
  [{ Healthcheck: 'true' }, 'config.Healthcheck'],
  [{ Healthcheck: { Test: [1] } }, 'config.Healthcheck.Test'],
  [{ StopTimeout: '5' }, 'config.StopTimeout'],
  [[], 'config'],
  ['x', 'config'],
];
for (const [config, field] of wrong) {
  test(`refused: ${JSON.stringify(config)}`, () => {
    assert.throws(() => parse({ rootfs, config }), { kind: 'invalid', message: new RegExp(`: "${field}" is not `) });
  });
}

test('a config that is none, or of layers that are none, is refused', () => {
  for (const text of [
    '[]',
    '"x"',
    '{',
    '{"rootfs":{"diff_ids":[1]}}',
    '{"rootfs":{"diff_ids":["sha256:x"]}}',
    '{"rootfs":{"diff_ids":{}}}',
  ])
    assert.throws(() => parseImageConfig(Buffer.from(text)), { kind: 'invalid' }, text);
});
