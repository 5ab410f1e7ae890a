import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { placeFile, placeLink } from './install.ts';
import { serviceUnit, socketGroup, socketUnit } from './units.ts';

describe('units', () => {
  test('what keeps containers alive when the daemon ends', () => {
    const unit = serviceUnit('/opt/wherry/bin/wherryd');
    for (const line of [
      'Type=notify',
      'ExecStart=/opt/wherry/bin/wherryd',
      'KillMode=process',
      'Delegate=yes',
      'Restart=always',
      'OOMScoreAdjust=-500',
      'LimitNOFILE=1048576',
      'Requires=wherry.socket',
    ])
      assert.ok(unit.split('\n').includes(line), line);
  });
  test('a path is a path, whatever is in it', () => {
    assert.match(serviceUnit('/opt/100%/a $b/wherryd'), /^ExecStart="\/opt\/100%%\/a \$\$b\/wherryd"$/m);
    assert.match(serviceUnit('/opt/a"b/wherryd'), /^ExecStart="\/opt\/a\\"b\/wherryd"$/m);
  });
  test("the socket is Docker's group's where there is one, as without systemd", () => {
    assert.equal(socketGroup('root:x:0:\ndocker:x:998:ann\n'), 'docker');
    assert.equal(socketGroup('root:x:0:\nnotdocker:x:998:\n'), 'root');
    assert.match(
      socketUnit('/run/wherry/wherry.sock', 'docker'),
      /^ListenStream=\/run\/wherry\/wherry\.sock\n.*\n.*\nSocketGroup=docker$/m,
    );
  });
});

test('to install again changes nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-install-'));
  try {
    const unit = join(folder, 'system/x.service');
    assert.equal(await placeFile(unit, 'a\n'), true);
    assert.equal(await placeFile(unit, 'a\n'), false);
    assert.equal(await placeFile(unit, 'b\n'), true);
    assert.equal(readFileSync(unit, 'utf8'), 'b\n');
    assert.equal(statSync(unit).mode & 0o777, 0o644);

    const link = join(folder, 'wherry');
    const target = join(folder, 'package/bin/wherry');
    assert.equal(placeLink(link, target), true);
    assert.equal(placeLink(link, target), true, 'although it leads nowhere');
    rmSync(link);
    symlinkSync('/gone/bin/wherry', link);
    assert.equal(placeLink(link, target), true, 'another copy gives way');
    assert.equal(readlinkSync(link), target);
    rmSync(link);
    writeFileSync(link, "somebody's own");
    assert.equal(placeLink(link, target), false);
    assert.equal(readFileSync(link, 'utf8'), "somebody's own");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
