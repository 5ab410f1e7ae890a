import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dataRootOf, daemonSettings } from './settings.ts';
import { serviceUnit, socketUnit } from './units.ts';

const facts = { program: '/opt/wherry/bin/wherryd', dataRoot: '/var/lib/wherry', manual: '/opt/wherry/guide.md' };
const lines = (text: string): Set<string> => new Set(text.split('\n'));

describe('units', () => {
  test('stopping, crashing and killing the daemon harm no container', () => {
    const unit = lines(serviceUnit(facts));
    for (const line of [
      'KillMode=process',
      'Delegate=yes',
      'OOMPolicy=continue',
      'Restart=always',
      'LimitNOFILE=1048576',
    ])
      assert.ok(unit.has(line), line);
  });
  test('nothing that containers would inherit confines the daemon', () => {
    const text = serviceUnit(facts);
    assert.doesNotMatch(
      text,
      /^(Protect|Private|Restrict|SystemCall|NoNewPrivileges|MemoryDeny|Lock|ReadOnly|CapabilityB)/m,
    );
  });
  test('paths with spaces, quotes and percent signs stay one word', () => {
    const unit = lines(serviceUnit({ ...facts, program: '/opt/my "w" 100%/bin/wherryd', dataRoot: '/big disk/w' }));
    assert.ok(unit.has('ExecStart="/opt/my \\"w\\" 100%%/bin/wherryd"'));
    assert.ok(unit.has('RequiresMountsFor="/big disk/w"'));
  });
  test('the socket is for root and one group', () => {
    const unit = lines(socketUnit({ path: '/run/wherry/wherry.sock', group: 'docker' }));
    for (const line of [
      'ListenStream=/run/wherry/wherry.sock',
      'SocketMode=0660',
      'SocketGroup=docker',
      'RemoveOnStop=yes',
    ])
      assert.ok(unit.has(line), line);
  });
  test('the data root is what daemon.json says, whatever else is in it', () => {
    assert.equal(dataRootOf(daemonSettings(() => '{"data-root": "/srv/w"}')), '/srv/w');
    for (const text of [undefined, '', '[]', 'null', '{', '{"data-root": 3}'])
      assert.equal(dataRootOf(daemonSettings(() => text)), '/var/lib/wherry');
  });
});
