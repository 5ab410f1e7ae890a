import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fail, ok, skip, together, warn } from './check.ts';
import { examine, type Result, tally } from './examine.ts';
import { patientWith } from './fixture.ts';
import { reportText } from './report.ts';
import { overlaps, parseSubnet, readRoutes, subnetText } from './subnet.ts';
import { atLeast, versionIn } from './version.ts';

const results: readonly Result[] = [
  { id: 'kernel', title: 'Kernel', ...ok('6.1') },
  { id: 'firewall', title: 'Firewalls', ...warn('one two three four five six', 'sudo do --this', 'sudo do --that') },
  { id: 'dns', title: 'Names', ...fail('bad \x1b[31mname', 'sudo mend') },
  { id: 'x', title: 'X', ...skip('needs root') },
];

describe('report', () => {
  test('a line a check, what mends it below, the sum at the end', () => {
    assert.equal(
      reportText(results, { columns: undefined, isColored: false }),
      [
        '      CHECK     FOUND',
        'ok    kernel    6.1',
        'warn  firewall  one two three four five six',
        '      → sudo do --this',
        '      → sudo do --that',
        'FAIL  dns       bad \\x1b[31mname',
        '      → sudo mend',
        '-     x         needs root',
        '',
        '1 ok, 1 warning, 1 failure (1 not checked)',
        '',
      ].join('\n'),
    );
  });
  test('fits the terminal, commands excepted; colour only where asked for', () => {
    const text = reportText(results, { columns: 40, isColored: false });
    for (const line of text.split('\n')) if (!/→|not checked/.test(line)) assert.ok(line.length <= 40, line);
    assert.match(text, /\n {16}six\n/);
    assert.match(reportText(results, { columns: 80, isColored: true }), /\x1b\[31mFAIL\x1b\[0m {2}dns/);
  });
  test('all well: no word of what was not checked', () => {
    assert.match(
      reportText(results.slice(0, 1), { columns: 80, isColored: false }),
      /\n1 ok, 0 warnings, 0 failures\n$/,
    );
  });
});

describe('examination', () => {
  test('a check that throws is told as such, and the others go on', async () => {
    const found = await examine(
      [
        {
          id: 'a',
          title: 'A',
          run: () => {
            throw new Error('no');
          },
        },
        { id: 'b', title: 'B', run: () => ok('fine') },
      ],
      patientWith(),
    );
    assert.deepEqual(
      found.map(({ state, found: text }) => [state, text]),
      [
        ['skip', 'the check itself failed: no'],
        ['ok', 'fine'],
      ],
    );
    assert.deepEqual(tally(found), { ok: 1, warnings: 0, failures: 0, skipped: 1 });
  });
  test('several findings: the worst comes first, and what is well is left out beside it', () => {
    assert.deepEqual(together([ok('a'), warn('b', 'x'), fail('c', 'y', 'x')]), {
      state: 'fail',
      found: 'c; b',
      mend: ['y', 'x'],
    });
    assert.deepEqual(together([ok('a'), ok('b')]).found, 'a; b');
  });
});

describe('what is compared', () => {
  test('versions', () => {
    assert.equal(versionIn('crun version 1.8.1\ncommit'), '1.8.1');
    assert.equal(versionIn('6.18.44-fc-v657'), '6.18.44');
    assert.equal(versionIn('none'), undefined);
    for (const [have, want, wanted] of [
      ['5.11', '5.11', true],
      ['5.9', '5.11', false],
      ['6.0', '5.11', true],
      ['2.1.6', '2.0.26', true],
      ['1', '1.0.1', false],
    ] as const)
      assert.equal(atLeast(have, want), wanted, `${have} ${want}`);
  });
  test('subnets', () => {
    const subnet = (text: string) => parseSubnet(text)!;
    assert.equal(subnetText(subnet('172.30.4.0/22')), '172.30.4.0/22');
    assert.equal(subnetText(subnet('255.255.255.255/32')), '255.255.255.255/32');
    assert.ok(overlaps(subnet('172.16.0.0/12'), subnet('172.30.0.0/22')));
    assert.ok(!overlaps(subnet('172.30.0.0/22'), subnet('172.30.4.0/22')));
    assert.ok(overlaps(subnet('0.0.0.0/0'), subnet('10.0.0.0/8')));
    for (const wrong of ['', '1.2.3.4', '1.2.3/8', '1.2.3.400/8', '1.2.3.4/33', 'fd00::/8'])
      assert.equal(parseSubnet(wrong), undefined, wrong);
    assert.deepEqual(
      readRoutes('Iface\neth0\t0001A8C0\t0\t1\t0\t0\t0\t00FFFFFF\t0\neth0\t00000000\t0\t3\t0\t0\t0\t00000000\t0\n').map(
        ({ device, subnet: found }) => [device, subnetText(found)],
      ),
      [['eth0', '192.168.1.0/24']],
    );
  });
});
