/** dockerd's flags for networks on a daemon of their own: what containers get of them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cannotRun, Daemon } from '../support/daemon.ts';
import { execute } from '../support/docker.ts';
import { firstError } from '../support/first-error.ts';
import { busyboxImage } from '../support/images.ts';

const skip = cannotRun() ?? false;
/** Of a range that no default pool has. */
const octet = 1 + (randomBytes(1)[0]! % 250);
const base = `10.212.${octet}`;

test(
  'the default bridge: its address, its range, its router; defaults of other networks',
  { skip, timeout: 60_000 },
  () =>
    firstError(async () => {
      await using daemon = await Daemon.open({
        args: [
          '--bip',
          `${base}.1/24`,
          '--fixed-cidr',
          `${base}.128/29`,
          '--default-gateway',
          `${base}.254`,
          '--default-network-opt',
          'bridge=com.docker.network.driver.mtu=1380',
          '--host-gateway-ip',
          '192.0.2.77',
        ],
      });
      const { docker } = daemon;
      await docker.ok('load', '-q', '-i', await busyboxImage());
      const config = JSON.parse(
        await docker.ok('network', 'inspect', '-f', '{{json .IPAM.Config}}', 'bridge'),
      ) as object[];
      assert.deepEqual(config, [
        {
          Subnet: `${base}.0/24`,
          IPRange: `${base}.128/29`,
          Gateway: `${base}.1`,
          AuxiliaryAddresses: { DefaultGatewayIPv4: `${base}.254` },
        },
      ]);
      const shown = await docker.ok('run', '--rm', 'busybox', 'sh', '-c', 'ip -4 addr show eth0; ip route');
      assert.match(shown, new RegExp(`inet ${base}.1(2[89]|3[0-5])/24 `));
      assert.match(shown, new RegExp(`default via ${base}.254 `));
      await docker.ok('network', 'create', 'made');
      await docker.ok('network', 'create', '-o', 'com.docker.network.driver.mtu=1300', 'chosen');
      const mtu = (network: string): Promise<string> =>
        docker.ok('run', '--rm', '--network', network, 'busybox', 'cat', '/sys/class/net/eth0/mtu');
      assert.deepEqual([await mtu('made'), await mtu('chosen'), await mtu('bridge')], ['1380', '1300', '1500']);
      const hosts = await docker.ok('run', '--rm', '--add-host', 'up:host-gateway', 'busybox', 'cat', '/etc/hosts');
      assert.match(hosts, /^192\.0\.2\.77\tup$/m);
      // The next daemon, told otherwise, follows.
      await daemon.kill('SIGTERM');
      await daemon.start();
      assert.match(await docker.ok('run', '--rm', 'busybox', 'ip', 'route'), new RegExp(`default via ${base}.254`));
    }),
);

test(
  '--allow-direct-routing: another machine reaches published ports at the containers’ addresses, and no others',
  { skip, timeout: 90_000 },
  () =>
    firstError(async () => {
      // That machine: a namespace behind a link of its own.
      const mark = randomBytes(3).toString('hex');
      const [space, near, far] = [`wn${mark}`, `wl${mark}`, `wf${mark}`];
      const ip = (...args: string[]): void => void execFileSync('ip', args, { timeout: 10_000 });
      ip('netns', 'add', space);
      try {
        ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', space);
        ip('addr', 'add', `10.211.${octet}.1/24`, 'dev', near);
        ip('link', 'set', near, 'up');
        ip('-n', space, 'addr', 'add', `10.211.${octet}.2/24`, 'dev', far);
        ip('-n', space, 'link', 'set', far, 'up');
        ip('-n', space, 'route', 'add', 'default', 'via', `10.211.${octet}.1`);
        const asks = async (address: string, port: number): Promise<string> =>
          (
            await execute('timeout', [
              '4',
              'ip',
              'netns',
              'exec',
              space,
              'busybox',
              'nc',
              '-w',
              '2',
              address,
              String(port),
            ])
          ).stdout.trim();
        for (const args of [['--allow-direct-routing'], []]) {
          await using daemon = await Daemon.open({ args });
          const { docker } = daemon;
          await docker.ok('load', '-q', '-i', await busyboxImage());
          const serve = 'while :; do nc -l -p 80 -e echo eighty; done & while :; do nc -l -p 81 -e echo other; done';
          await docker.ok('run', '-d', '--name', 'web', '-p', '80', '-p', '0:80', 'busybox', 'sh', '-c', serve);
          const address = await docker.inspect('web', '.NetworkSettings.Networks.bridge.IPAddress');
          const [port] = (await docker.ok('port', 'web', '80'))
            .split('\n')
            .map((line) => Number(line.split(':').at(-1)));
          assert.equal(await asks(`10.211.${octet}.1`, port!), 'eighty', 'the published port');
          assert.equal(await asks(String(address), 80), args.length > 0 ? 'eighty' : '');
          assert.equal(await asks(String(address), 81), '');
          await docker.ok('rm', '-f', 'web');
        }
      } finally {
        ip('netns', 'del', space);
      }
    }),
);

test('what cannot be had is said at the start', { skip, timeout: 60_000 }, () =>
  firstError(async () => {
    await using daemon = await Daemon.open();
    const file = join(daemon.root, 'daemon.json');
    const tried = async (settings: object): Promise<string> => {
      writeFileSync(file, JSON.stringify(settings));
      const { code, stderr } = await execute(join(import.meta.dirname, '../../bin/wherryd'), [
        '--config-file',
        file,
        '--data-root',
        join(daemon.root, 'd2'),
        '--exec-root',
        join(daemon.root, 'r2'),
        '--bridge',
        `${daemon.bridge}x`,
        '-H',
        `unix://${daemon.root}/s2`,
        '--pidfile',
        join(daemon.root, 'p2'),
      ]);
      assert.equal(code, 1, stderr);
      return stderr;
    };
    assert.match(await tried({ 'authorization-plugins': ['opa'] }), /authorization plugins cannot be had/);
    assert.match(await tried({ bip: '10.1.1.1/24', 'fixed-cidr': '10.2.0.0/24' }), /not within the bridge's subnet/);
    assert.match(await tried({ bip: '10.1.1.1' }), /invalid bip/);
  }),
);
