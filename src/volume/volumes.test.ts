/** The room on a throw-away folder; what needs mounts, owners or devices runs as root only. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { noFilters, parseFilters } from '../api/index.ts';
import { Fault, silentLogger } from '../std/index.ts';
import type { VolumeEvent, Volumes } from './door.ts';
import { mountsAt } from './mount-table.ts';
import { openVolumes } from './volumes.ts';

const skip: string | false = process.getuid?.() === 0 ? false : 'needs root (owners, mounts, devices)';

describe('volumes', { skip }, () => {
  let root: string;
  let volumes: Volumes;
  let events: VolumeEvent[];
  const uses = new Map<string, string[]>();
  const open = (trashMs = 60_000): Promise<Volumes> =>
    openVolumes({
      root,
      trashMs,
      uses: (name) => uses.get(name) ?? [],
      emit: (event) => events.push(event),
      logger: silentLogger,
    });
  const fails = (kind: string, text: string) => (error: unknown) => {
    assert.ok(error instanceof Fault, String(error));
    assert.equal(error.kind, kind);
    assert.ok(error.message.includes(text), error.message);
    return true;
  };

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'wherry-volume-'));
    events = [];
    uses.clear();
    volumes = await open();
  });
  afterEach(async () => {
    await volumes.close();
    assert.deepEqual(mountsAt(root), [], 'mounts left');
    rmSync(root, { recursive: true, force: true });
  });

  test('create is idempotent by name and shows what Docker shows', async () => {
    const made = await volumes.create({ Name: 'data', Labels: { a: 'b' } });
    assert.equal(made.Mountpoint, join(root, 'volumes/data/_data'));
    assert.deepEqual(await volumes.create({ Name: 'data' }), made);
    assert.deepEqual(await volumes.inspect('data'), made);
    assert.deepEqual(
      events.map((event) => event.action),
      ['create'],
    );
    await assert.rejects(volumes.inspect('nope'), fails('not-found', 'get nope: no such volume'));
    await assert.rejects(
      volumes.create({ Name: 'rel/path' }),
      fails(
        'invalid',
        '"rel/path" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed',
      ),
    );
    await assert.rejects(volumes.create({ Name: 'x', Driver: 'nfs' }), fails('invalid', 'too short'));
    await assert.rejects(volumes.create({ Name: 'xx', Driver: 'nfs' }), fails('not-found', 'plugin "nfs" not found'));
  });

  test('volumes outlive the daemon', async () => {
    await volumes.create({ Name: 'kept', Labels: { x: 'y' } });
    const anonymous = await volumes.create({});
    assert.match(anonymous.Name, /^[0-9a-f]{64}$/);
    const second = await open();
    assert.deepEqual(await second.inspect('kept'), await volumes.inspect('kept'));
    assert.equal(second.isAnonymous(anonymous.Name), true);
    assert.equal(second.isAnonymous('kept'), false);
    await second.close();
  });

  test('removal: refused in use, into the trash, back again, at once without a trash', async () => {
    const { Mountpoint } = await volumes.create({ Name: 'data' });
    writeFileSync(join(Mountpoint, 'f'), 'precious');
    uses.set('data', ['c1']);
    await assert.rejects(
      volumes.remove('data', { force: true }),
      fails('conflict', 'remove data: volume is in use - [c1]'),
    );
    uses.clear();
    await volumes.remove('data', { force: false });
    assert.equal(volumes.exists('data'), false);
    await assert.rejects(volumes.remove('data', { force: false }), fails('not-found', 'get data: no such volume'));
    await volumes.remove('data', { force: true });
    const [item] = await volumes.trash();
    assert.equal(item?.name, 'data');
    await volumes.restoreFromTrash('data');
    assert.equal(readFileSync(join(Mountpoint, 'f'), 'utf8'), 'precious');
    await volumes.remove('data', { force: false });
    const second = await open(0);
    assert.deepEqual(await second.trash(), []);
    await second.close();
  });

  test('rename keeps the data', async () => {
    const { Mountpoint } = await volumes.create({ Name: 'old' });
    await volumes.create({ Name: 'other' });
    writeFileSync(join(Mountpoint, 'f'), '1');
    await assert.rejects(volumes.rename('old', 'other'), fails('conflict', 'already exists'));
    const renamed = await volumes.rename('old', 'new');
    assert.equal(readFileSync(join(renamed.Mountpoint, 'f'), 'utf8'), '1');
    assert.equal(volumes.exists('old'), false);
  });

  test('prune takes unused ones, anonymous ones only when asked so', async () => {
    await volumes.create({ Name: 'named' });
    await volumes.create({ Name: 'used' });
    uses.set('used', ['c']);
    const anonymous = await volumes.create({});
    assert.deepEqual((await volumes.prune(noFilters, { anonymousOnly: true })).deleted, [anonymous.Name]);
    assert.deepEqual((await volumes.prune(parseFilters('{"label":["no"]}'), { anonymousOnly: false })).deleted, []);
    assert.deepEqual((await volumes.prune(noFilters, { anonymousOnly: false })).deleted, ['named']);
    const { Volumes: left } = await volumes.list(parseFilters('{"dangling":["false"]}'));
    assert.deepEqual(
      left.map((volume) => volume.Name),
      ['used'],
    );
  });

  test('populate copies owner, mode, times, links, devices, holes and xattrs, and only into an empty volume', async () => {
    const source = join(root, 'source');
    mkdirSync(join(source, 'deep/er'), { recursive: true });
    writeFileSync(join(source, 'a'), 'text', { mode: 0o640 });
    execFileSync('chown', ['123:456', join(source, 'a'), source]);
    execFileSync('chmod', ['1770', source]);
    execFileSync('ln', [join(source, 'a'), join(source, 'deep/twin')]);
    execFileSync('mknod', [join(source, 'zero'), 'c', '1', '5']);
    execFileSync('mkfifo', [join(source, 'pipe')]);
    symlinkSync('/etc/passwd', join(source, 'link'));
    writeFileSync(join(source, 'holes'), 'x');
    truncateSync(join(source, 'holes'), 8 << 20);
    utimesSync(join(source, 'deep/er'), 1000, 1000);
    const { Mountpoint } = await volumes.create({ Name: 'data' });
    await volumes.populate('data', source);
    const stat = lstatSync(join(Mountpoint, 'a'));
    assert.deepEqual([stat.uid, stat.gid, stat.mode & 0o7777, stat.nlink], [123, 456, 0o640, 2]);
    assert.equal(stat.ino, lstatSync(join(Mountpoint, 'deep/twin')).ino);
    const own = statSync(Mountpoint);
    assert.deepEqual([own.uid, own.gid, own.mode & 0o7777], [123, 456, 0o1770]);
    assert.equal(lstatSync(join(Mountpoint, 'zero')).rdev, lstatSync('/dev/zero').rdev);
    assert.ok(lstatSync(join(Mountpoint, 'pipe')).isFIFO());
    assert.ok(lstatSync(join(Mountpoint, 'link')).isSymbolicLink());
    assert.equal(statSync(join(Mountpoint, 'deep/er')).mtimeMs, 1_000_000);
    const holes = statSync(join(Mountpoint, 'holes'));
    assert.equal(holes.size, 8 << 20);
    assert.ok(holes.blocks < 100);
    assert.ok((await volumes.usage('data')) < 1 << 20);
    writeFileSync(join(source, 'late'), '');
    await volumes.populate('data', source);
    assert.equal(existsSync(join(Mountpoint, 'late')), false);
  });

  test('a crash while filling leaves the volume empty or complete', async () => {
    const { Mountpoint } = await volumes.create({ Name: 'data' });
    const folder = join(root, 'volumes/data');
    mkdirSync(join(folder, '.populate'));
    writeFileSync(join(folder, '.populate/half'), '');
    await (await open()).close();
    assert.equal(existsSync(join(folder, '.populate')), false);
    mkdirSync(join(folder, '.populate'));
    writeFileSync(join(folder, '.populate/one'), '1');
    writeFileSync(join(folder, '.populate/two'), '2');
    renameSync(join(folder, '.populate'), join(folder, '.moving'));
    await (await open()).close();
    assert.ok(existsSync(join(Mountpoint, 'one')));
    assert.ok(existsSync(join(Mountpoint, 'two')));
    assert.equal(existsSync(join(folder, '.moving')), false);
  });

  test('a device is mounted for its first container and unmounted after its last, across a restart', async () => {
    await volumes.create({ Name: 'tmp', DriverOpts: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,noexec' } });
    const path = await volumes.mount('tmp', 'c1');
    assert.deepEqual(mountsAt(path), [path]);
    await volumes.mount('tmp', 'c2');
    writeFileSync(join(path, 'f'), '');
    uses.set('tmp', ['c1', 'c2']);
    const second = await open();
    await second.unmount('tmp', 'c1');
    assert.ok(existsSync(join(path, 'f')));
    await second.unmount('tmp', 'c2');
    assert.deepEqual(mountsAt(path), []);
    await second.close();
    uses.clear();
    const third = await open();
    await third.remove('tmp', { force: false });
    await third.close();
  });

  test('a bound folder survives the removal of its volume', async () => {
    const folder = join(root, 'folder');
    mkdirSync(folder);
    writeFileSync(join(folder, 'mine'), '');
    await volumes.create({ Name: 'bound', DriverOpts: { type: 'none', device: folder, o: 'bind,ro' } });
    const path = await volumes.mount('bound', 'c');
    assert.ok(existsSync(join(path, 'mine')));
    assert.throws(() => writeFileSync(join(path, 'new'), ''), /EROFS/);
    await volumes.unmount('bound', 'c');
    await volumes.remove('bound', { force: false });
    assert.ok(existsSync(join(folder, 'mine')));
    await volumes.create({ Name: 'gone', DriverOpts: { type: 'none', device: '/no/such', o: 'bind' } });
    await assert.rejects(
      volumes.mount('gone', 'c'),
      fails('internal', 'failed to mount local volume: mount /no/such:'),
    );
  });

  test('a subpath cannot lead out', async () => {
    const { Mountpoint } = await volumes.create({ Name: 'data' });
    mkdirSync(join(Mountpoint, 'in/side'), { recursive: true });
    symlinkSync('/in', join(Mountpoint, 'absolute'));
    symlinkSync('../../../../etc', join(Mountpoint, 'out'));
    assert.equal(await volumes.subpath('data', 'in/side'), join(Mountpoint, 'in/side'));
    assert.equal(await volumes.subpath('data', '../../in'), join(Mountpoint, 'in'));
    assert.equal(await volumes.subpath('data', 'absolute/side'), join(Mountpoint, 'in/side'));
    await assert.rejects(volumes.subpath('data', 'out/passwd'), fails('invalid', 'no such file or directory'));
  });
});
