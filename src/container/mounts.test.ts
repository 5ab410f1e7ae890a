import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HostConfig } from '../api/index.ts';
import { mountPoints, parseBind, resolveMounts } from './mounts.ts';

const context = {
  container: () => {
    throw new Error('not asked');
  },
  hostPathExists: (path: string) => path === '/there',
  volumeDriver: '',
};
const resolve = (host: HostConfig, volumes: Record<string, object> = {}) =>
  resolveMounts({ Volumes: volumes }, host, context);

describe('binds', () => {
  test('host folders, names, and their modes', () => {
    assert.deepEqual(
      [parseBind('/a/:/b:ro', '').type, parseBind('/a/:/b:ro', '').source, parseBind('/a/:/b:ro', '').readOnly],
      ['bind', '/a', true],
    );
    assert.equal(parseBind('/a:/b:rshared', '').propagation, 'rshared');
    assert.deepEqual([parseBind('v1:/b:nocopy', '').type, parseBind('v1:/b:nocopy', '').noCopy], ['volume', true]);
  });
  for (const [spec, message] of [
    ['rel/path:/b', /includes invalid characters for a local volume name/],
    ['/a:rel', /mount path must be absolute/],
    ['/a:/', /destination can't be '\/'/],
    ['/a:/b:bogus', /invalid mode: bogus/],
    ['/a:/b:ro,rw', /invalid mode: ro,rw/],
    ['/a:/b:c:d', /invalid volume specification/],
    ['v:/b:rshared', /invalid mode: rshared/],
  ] as const) {
    test(`${spec} is refused`, () => assert.throws(() => parseBind(spec, ''), message));
  }
});

describe('mounts', () => {
  test('a bind mount whose source is missing is refused unless it may be made', () => {
    const mount = { Type: 'bind', Source: '/missing', Target: '/t' };
    assert.throws(() => resolve({ Mounts: [mount] }), /bind source path does not exist: \/missing/);
    assert.equal(resolve({ Mounts: [{ ...mount, BindOptions: { CreateMountpoint: true } }] })[0]!.createSource, true);
    assert.equal(resolve({ Mounts: [{ ...mount, Source: '/there' }] })[0]!.source, '/there');
  });
  test('options of another type, duplicates and bad subpaths are refused', () => {
    assert.throws(
      () => resolve({ Mounts: [{ Type: 'tmpfs', Target: '/t', Source: 'x' }] }),
      /field Source must not be specified/,
    );
    assert.throws(() => resolve({ Binds: ['v1:/t'], Tmpfs: { '/t': '' } }), /Duplicate mount point: \/t/);
    assert.throws(
      () => resolve({ Mounts: [{ Type: 'volume', Source: 'v1', Target: '/t', VolumeOptions: { Subpath: '../up' } }] }),
      /subpath/,
    );
    assert.throws(
      () => resolve({ Mounts: [{ Type: 'bogus', Target: '/t' }] }),
      /invalid mount config for type "bogus": mount type unknown$/,
    );
  });
  test('image volumes become anonymous ones unless something is mounted there', () => {
    const mounts = resolve({ Binds: ['named:/data'] }, { '/data': {}, '/more': {} });
    assert.deepEqual(
      mounts.map(({ destination, anonymous }) => [destination, anonymous]),
      [
        ['/data', false],
        ['/more', true],
      ],
    );
    assert.match(mounts[1]!.source, /^[0-9a-f]{64}$/);
  });
  test('tmpfs options are checked', () => {
    assert.deepEqual(resolve({ Tmpfs: { '/t': 'size=1m,mode=700' } })[0]!.options, ['size=1m', 'mode=700']);
    assert.throws(() => resolve({ Tmpfs: { '/t': 'bogus' } }), /invalid tmpfs option/);
  });
  test('inspect shows volumes with their place and not --tmpfs', () => {
    const points = mountPoints(resolve({ Binds: ['v1:/d'], Tmpfs: { '/t': '' } }), (name) => `/vols/${name}`);
    assert.deepEqual(points, [
      {
        Type: 'volume',
        Name: 'v1',
        Source: '/vols/v1',
        Destination: '/d',
        Driver: 'local',
        Mode: 'z',
        RW: true,
        Propagation: '',
      },
    ]);
  });
});
