import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parseDaemonFlags, resolveConfig } from './config.ts';

const folder = mkdtempSync(join(tmpdir(), 'wherry-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
function file(text: string): string {
  const path = join(folder, `${count++}.json`);
  writeFileSync(path, text);
  return path;
}
const empty = (): string => file('{}');
const resolve = (...args: string[]) => resolveConfig(['--config-file', empty(), ...args], {});

describe('daemon settings', () => {
  test("dockerd's flag forms", () => {
    assert.deepEqual(
      parseDaemonFlags(['-H', 'unix:///a', '-Htcp://127.0.0.1:1', '--debug', '--icc=false', '--log-opt', 'max-size=1m'])
        .values,
      {
        host: ['unix:///a', 'tcp://127.0.0.1:1'],
        debug: true,
        icc: false,
        'log-opt': { 'max-size': '1m' },
      },
    );
    assert.throws(() => parseDaemonFlags(['--bogus']), { message: 'unknown flag: --bogus' });
    assert.throws(() => parseDaemonFlags(['--bip']), { message: 'flag needs an argument: --bip' });
    assert.throws(() => parseDaemonFlags(['--mtu', 'x']), /invalid argument "x" for "--mtu"/);
  });
  test('defaults follow from the roots', () => {
    const config = resolve('--exec-root', '/tmp/x');
    assert.deepEqual(
      [config.hosts[0]!.url, config.pidfile, config.icc, config.logDriver],
      ['unix:///tmp/x/wherry.sock', '/tmp/x/wherryd.pid', true, 'json-file'],
    );
    assert.equal(resolve('--debug').logLevel, 'debug');
    assert.equal(resolve('--volume-trash', '2h').volumeTrashMs, 7_200_000);
  });
  test('daemon.json with Docker’s keys, lists joined with flags', () => {
    const path = file(
      JSON.stringify({
        'registry-mirrors': ['http://a'],
        hosts: ['unix:///y'],
        'default-address-pools': [{ base: '10.9.0.0/16', size: 26 }],
        runtimes: { r: { path: '/bin/r' } },
        'live-restore': true,
      }),
    );
    const config = resolveConfig(['--config-file', path, '--registry-mirror', 'http://b'], {});
    assert.deepEqual(config.registryMirrors, ['http://a', 'http://b']);
    assert.deepEqual(config.defaultAddressPools, [{ base: '10.9.0.0/16', size: 26 }]);
    assert.deepEqual(config.runtimes, { r: { path: '/bin/r' } });
  });
  test('every key of dockerd’s is known', () => {
    const keys = {
      'allow-direct-routing': true,
      'authorization-plugins': [],
      bip6: 'fd00:1::1/64',
      'cdi-spec-dirs': ['/a'],
      'containerd-plugin-namespace': 'x',
      'cpu-rt-period': 1,
      'cpu-rt-runtime': 1,
      'cri-containerd': true,
      'default-gateway-v6': 'fd00:1::2',
      'default-network-opts': { bridge: { 'com.docker.network.driver.mtu': '1400' } },
      'deprecated-key-path': 'x',
      features: { cdi: true, 'containerd-snapshotter': false },
      'fixed-cidr': '10.0.0.0/24',
      'host-gateway-ips': ['10.0.0.1', 'fd00::1'],
      'ip-forward-no-drop': true,
      'network-control-plane-mtu': 1500,
      'network-diagnostic-port': 0,
      'node-generic-resources': ['a=b'],
      'raw-logs': true,
      rootless: false,
      'swarm-default-advertise-addr': 'x',
    };
    const config = resolveConfig(['--config-file', file(JSON.stringify(keys))], {});
    assert.deepEqual(config.defaultNetworkOptions, { bridge: { 'com.docker.network.driver.mtu': '1400' } });
    assert.equal(config.hostGatewayIp, '10.0.0.1');
    assert.deepEqual(config.cdiSpecDirs, ['/a']);
    assert.equal(config.allowDirectRouting, true);
    const flags = resolve('--default-network-opt', 'bridge=a=b=c', '--default-network-opt', 'macvlan=d=e');
    assert.deepEqual(flags.defaultNetworkOptions, { bridge: { a: 'b=c' }, macvlan: { d: 'e' } });
    assert.throws(() => resolve('--default-network-opt', 'bridge'), /invalid default network option "bridge"/);
    assert.throws(() => resolve('--authorization-plugin', 'x'), /authorization plugins cannot be had/);
    assert.equal(resolve('--host-gateway-ip', '10.1.1.1').hostGatewayIp, '10.1.1.1');
  });
  test('where descriptions of devices lie', () => {
    assert.deepEqual(resolve().cdiSpecDirs, ['/etc/cdi', '/var/run/cdi']);
    assert.deepEqual(resolve('--feature', 'cdi=false').cdiSpecDirs, []);
    assert.deepEqual(resolve('--cdi-spec-dir', '').cdiSpecDirs, []);
    const own = resolveConfig(['--config-file', empty()], {
      WHERRY_ROOTLESS: '/run/user/1/wherry/rootless',
      XDG_CONFIG_HOME: '/home/a/.config',
    });
    assert.deepEqual(own.cdiSpecDirs.slice(2), ['/home/a/.config/cdi', '/run/user/1/cdi']);
  });
  test('registries: mirrors, certificates, proxies, transfers', () => {
    const path = file(
      JSON.stringify({
        proxies: { 'http-proxy': 'http://p:1', 'no-proxy': '.lan' },
        'registry-certs': ['/certs'],
        'max-concurrent-downloads': 7,
        'max-concurrent-uploads': 0,
      }),
    );
    const environment = { HTTP_PROXY: 'http://e:1', HTTPS_PROXY: 'http://e:2' };
    const mirrors = ['https://a/path', 'quay.io=http://b:5000/'];
    const config = resolveConfig(
      ['--config-file', path, ...mirrors.flatMap((mirror) => ['--registry-mirror', mirror])],
      environment,
    );
    assert.deepEqual(config.proxies, { httpProxy: 'http://p:1', httpsProxy: 'http://e:2', noProxy: '.lan' });
    assert.deepEqual(config.registryCertificates, ['/certs']);
    assert.deepEqual(config.registryMirrors, mirrors);
    assert.deepEqual(
      [config.maxConcurrentDownloads, config.maxConcurrentUploads, config.maxDownloadAttempts],
      [7, Infinity, 5],
    );
    assert.deepEqual(resolve().registryCertificates, ['/etc/wherry/certs.d', '/etc/docker/certs.d']);
    const wrong: [string[], string][] = [
      [
        ['--registry-mirror', 'a:5000'],
        `invalid mirror: no scheme specified for "a:5000": must use either 'https://' or 'http://'`,
      ],
      [
        ['--registry-mirror', 'quay.io=ftp://a'],
        `invalid mirror: unsupported scheme "ftp" in "ftp://a": must use either 'https://' or 'http://'`,
      ],
      [['--registry-mirror', 'http://a?b'], 'invalid mirror: query or fragment at end of the URI "http://a?b"'],
      [
        ['--registry-mirror', 'http://a:b@c'],
        'invalid mirror: username/password not allowed in URI "http://a:xxxxx@c/"',
      ],
      [['--max-concurrent-downloads=-1'], 'invalid max concurrent downloads: -1'],
      [['--max-concurrent-uploads=-1'], 'invalid max concurrent uploads: -1'],
      [['--max-download-attempts=0'], 'invalid max download attempts: 0'],
    ];
    for (const [args, message] of wrong) assert.throws(() => resolve(...args), { kind: 'invalid', message });
    assert.throws(
      () => resolveConfig(['--config-file', file('{"proxies":{"ftp-proxy":"x"}}')], {}),
      /don't match any configuration option: ftp-proxy/,
    );
    assert.throws(
      () => resolveConfig(['--config-file', file('{"proxies":{"http-proxy":"x"}}'), '--http-proxy', 'y'], {}),
      /specified both as a flag and in the configuration file: http-proxy/,
    );
  });
  test('the pull-through cache: off, unless it is told where to listen', () => {
    assert.equal(resolve('--pull-through-cache-size=1GB').pullThroughCache, undefined);
    const path = file(
      JSON.stringify({
        'pull-through-cache': 5000,
        'pull-through-cache-upstreams': ['docker.io', 'quay.io'],
        'pull-through-cache-clients': ['10.0.0.0/8'],
        'pull-through-cache-age': '0',
      }),
    );
    const settings = resolveConfig(['--config-file', path, '--pull-through-cache-upstream', 'ghcr.io'], {});
    const { host, port, upstreams, clients, maxAgeMs, tls } = settings.pullThroughCache!;
    assert.deepEqual([host, port, maxAgeMs, tls], ['127.0.0.1', 5000, Infinity, undefined]);
    assert.deepEqual(upstreams, ['docker.io', 'quay.io', 'ghcr.io']);
    assert.deepEqual(clients, ['10.0.0.0/8']);
    assert.throws(() => resolve('--pull-through-cache=nowhere'), {
      kind: 'invalid',
      message: /^invalid pull-through-cache: /,
    });
  });
  test('what is wrong is named', () => {
    assert.throws(
      () => resolveConfig(['--config-file', file('{"bogus-key":1}')], {}),
      /don't match any configuration option: bogus-key/,
    );
    assert.throws(() => resolveConfig(['--config-file', file('{')], {}), /unable to configure the daemon with file/);
    assert.throws(() => resolveConfig(['--config-file', file('{"debug":"yes"}')], {}), /"debug" must be true or false/);
    assert.throws(
      () => resolveConfig(['--config-file', file('{"bip":"10.0.0.1/24"}'), '--bip', '10.0.1.1/24'], {}),
      /specified both as a flag and in the configuration file: bip/,
    );
    assert.throws(() => resolveConfig(['--config-file', join(folder, 'missing')], {}), /ENOENT/);
    assert.throws(() => resolve('--log-level', 'loud'), /invalid logging level: loud/);
    assert.throws(() => resolve('--project-socket', 'x'), /wanted project=path/);
  });
  test('read-only and project sockets', () => {
    const { hosts } = resolve('-H', 'unix:///a', '--read-only-socket', '/b', '--project-socket', 'p=/c');
    assert.deepEqual(hosts, [
      { url: 'unix:///a', readOnly: false, project: undefined },
      { url: 'unix:///b', readOnly: true, project: undefined },
      { url: 'unix:///c', readOnly: false, project: 'p' },
    ]);
  });
  test('metrics: off, or an address and a port', () => {
    assert.equal(resolve().metricsAddress, undefined);
    assert.deepEqual(resolve('--metrics-addr', '127.0.0.1:9323').metricsAddress, { host: '127.0.0.1', port: 9323 });
    assert.deepEqual(resolve('--metrics-addr', '[::1]:9323').metricsAddress, { host: '::1', port: 9323 });
    assert.deepEqual(resolve('--metrics-addr', 'tcp://localhost:1').metricsAddress, { host: 'localhost', port: 1 });
    assert.deepEqual(resolve('--metrics-addr', ':9323').metricsAddress, { host: '0.0.0.0', port: 9323 });
    for (const wrong of ['9323', 'localhost', '127.0.0.1:', '127.0.0.1:99999', 'http://127.0.0.1:1', '127.0.0.1:1/x'])
      assert.throws(() => resolve('--metrics-addr', wrong), /invalid metrics-addr/, wrong);
  });
});
