/** JSON bodies: parsed or refused, however deep, odd or large; keys from outside touch no prototype; refusals stay short. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseConfig, parseCreateBody, parseUpdateBody } from '../../src/server/body/container.ts';
import { parseExecBody, parseExecStart } from '../../src/server/body/exec.ts';
import { parseConnectBody, parseDisconnectBody, parseNetworkBody } from '../../src/server/body/network.ts';
import { decodePlatform } from '../../src/server/body/platform.ts';
import { parseAuthBody, parseRegistryAuth, parseRegistryConfig } from '../../src/server/body/registry-auth.ts';
import { parseVolumeBody } from '../../src/server/body/volume.ts';
import { classicBuild } from '../../src/server/build/parameters.ts';
import { goJson, goJsonExact } from '../../src/server/go-json.ts';
import { Query } from '../../src/server/query.ts';
import { Fault } from '../../src/std/index.ts';
import { fuzzed, orFault, property } from '../support/fuzz.ts';

const parsers: Record<string, (value: unknown) => unknown> = {
  create: parseCreateBody,
  update: parseUpdateBody,
  config: parseConfig,
  exec: parseExecBody,
  execStart: parseExecStart,
  network: parseNetworkBody,
  connect: parseConnectBody,
  disconnect: parseDisconnectBody,
  volume: parseVolumeBody,
  auth: parseAuthBody,
};

function readEverywhere(value: unknown): void {
  for (const [name, parse] of Object.entries(parsers)) {
    try {
      const result = parse(value);
      assert.ok(
        result === null || typeof result !== 'object' || Object.getPrototypeOf(result) === Object.prototype,
        name,
      );
      goJson(result);
    } catch (error) {
      if (!(error instanceof Fault) || error.kind !== 'invalid') throw error;
      assert.ok(error.message.length < 5000 + 2 * JSON.stringify(value).length, `${name} says too much`);
    }
  }
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
}

const corpus = [
  '{"Image":"busybox","Cmd":["sh","-c","echo"],"Env":["A=b"],"Labels":{"a":"b","__proto__":"c"},"ExposedPorts":{"80/tcp":{}},"StopTimeout":3,"Healthcheck":{"Test":["CMD","x"],"Interval":1000000}}',
  '{"Image":"a","HostConfig":{"Binds":["/a:/b"],"PortBindings":{"80":[{"HostIp":"","HostPort":"8080"}]},"RestartPolicy":{"Name":"always","MaximumRetryCount":0},"Memory":1048576,"Ulimits":[{"Name":"nofile","Soft":1,"Hard":2}],"Mounts":[{"Type":"bind","Source":"/a","Target":"/b","TmpfsOptions":{"Mode":511}}],"ConsoleSize":[24,80]}}',
  '{"Image":"a","NetworkingConfig":{"EndpointsConfig":{"net":{"IPAMConfig":{"IPv4Address":"10.0.0.2"},"Aliases":["x"]}}}}',
  '{"Name":"net","Driver":"bridge","IPAM":{"Config":[{"Subnet":"10.1.0.0/16","AuxiliaryAddresses":{"a":"10.1.0.5"}}]},"Options":{"a":"b"}}',
  '{"Container":"x","EndpointConfig":{"GwPriority":1}}',
  '{"Cmd":["ls"],"Tty":true,"Detach":false,"ConsoleSize":[1,2],"AttachStdin":true}',
  '{"username":"u","password":"p","serveraddress":"r"}',
];
const words = [
  '"__proto__":{"polluted":1},',
  '"constructor":{"prototype":{"polluted":1}},',
  '{"toString":1}',
  'null',
  '[]',
  '{}',
  '1e400',
  '-0',
  '1.5',
  '"\\u0000"',
  '"\\ud800"',
  '"Labels":',
  '"Cmd":',
  '"Env":',
  '"HostConfig":',
];

fuzzed('JSON bodies', {
  corpus,
  words,
  check: (bytes) => {
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString('utf8'));
    } catch {
      return;
    }
    readEverywhere(value);
  },
});

fuzzed('credentials, platforms and build parameters', {
  corpus: [
    ...corpus,
    '{"os":"linux","architecture":"arm64","variant":"v8"}',
    't=a:1&buildargs={"A":"b"}&labels={"a":"b"}&cachefrom=["a"]&ulimits=[{"Name":"n","Soft":1,"Hard":2}]&memory=1&shmsize=2&version=1',
  ],
  words: [...words, '&t=', '&buildargs=', '&labels=', '%', '%00'],
  check: (bytes) => {
    const text = bytes.toString('utf8');
    const encoded = bytes.toString('base64');
    orFault(() => parseRegistryAuth(encoded));
    orFault(() => parseRegistryConfig(encoded));
    orFault(() => parseRegistryAuth(text));
    orFault(() => decodePlatform(text));
    orFault(() => classicBuild(new Query(text), 51));
    for (const key of ['buildargs', 'labels', 'cachefrom', 'ulimits'])
      orFault(() => classicBuild(new Query(`${key}=${encodeURIComponent(text)}`), 51));
  },
});

const deep = (count: number, open: string, close: string): unknown =>
  JSON.parse(`${open.repeat(count)}1${close.repeat(count)}`);

const large: Record<string, unknown> = {
  'an array a hundred thousand deep': deep(100_000, '[', ']'),
  'a command as deep': { Image: 'a', Cmd: deep(100_000, '[', ']') },
  'labels as deep': { Labels: deep(100_000, '{"a":', '}') },
  'a label as deep': { Image: 'a', Labels: { a: deep(100_000, '[', ']') } },
  'mounts as deep': { HostConfig: { Mounts: [deep(100_000, '{"Type":', '}')] } },
  'ten megabytes where none belong': { Image: 5, Env: ['x'.repeat(10_000_000)] },
  'a text of ten megabytes for a list': { Env: 'x'.repeat(10_000_000) },
  'two hundred thousand of the wrong kind': { Env: Array.from({ length: 200_000 }, () => 0) },
};
for (const [name, value] of Object.entries(large)) {
  test(name, () => {
    for (const parse of Object.values(parsers)) {
      const message = orFault(() => (parse(value), '')) ?? '';
      assert.equal(message, '');
    }
  });
}

property('any JSON value', fc.jsonValue({ maxDepth: 5 }), readEverywhere);

const keys = fc.constantFrom(
  'Image',
  'cmd',
  'CMD',
  'Env',
  'Labels',
  'HostConfig',
  'Memory',
  'Mounts',
  '__proto__',
  'Tty',
  'Name',
  'Container',
  'ExposedPorts',
  'PortBindings',
  'Ulimits',
  'username',
);
property(
  'any values under keys that mean something',
  fc.dictionary(keys, fc.oneof(fc.jsonValue(), fc.dictionary(keys, fc.jsonValue()))),
  readEverywhere,
);

/** Beyond Go's integers a number is brought to the nearest. */
const printed = fc.jsonValue().filter((value) => !/[.\d]{19}|e\+/.test(JSON.stringify(value)));
property('what is printed as Go prints it is the same value', printed, (value) => {
  const expected = JSON.parse(JSON.stringify(value)) as unknown;
  for (const print of [goJson, goJsonExact]) {
    const text = print(value);
    assert.doesNotMatch(text, /[<>&\u2028\u2029]/);
    assert.deepEqual(JSON.parse(text), expected);
  }
});
