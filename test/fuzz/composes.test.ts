/** Compose files: a project or a fault with its place, in bounded time; values are those that the `yaml` package reads. */
import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { configText, loadProject, parseDotenv, parseVolumeSpec } from '../../src/compose/index.ts';
import { InvalidTemplate, MissingVariable, substitute } from '../../src/compose/load/template.ts';
import { fuzzed, orFault, property } from '../support/fuzz.ts';

const folder = mkdtempSync(join(tmpdir(), 'wherry-fuzz-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function load(text: string): ReturnType<typeof loadProject> | undefined {
  const surroundings = { cwd: folder, env: { A: 'a', B: '' }, stdin: () => text, warn: () => {} };
  return orFault(() => loadProject({ files: ['-'], name: 'p' }, surroundings));
}

const fixtures = globSync('test/fixtures/compose/**/*.{yaml,yml}', { cwd: resolve(import.meta.dirname, '../..') })
  .sort()
  .map((file) => readFileSync(resolve(import.meta.dirname, '../..', file)))
  .filter((bytes) => bytes.length < 4000);

fuzzed('compose files', {
  corpus: [
    'services:\n  web:\n    image: nginx:${TAG:-1}\n    ports: ["80:80", {target: 1, published: "8080-8090"}]\n    environment: {A: b}\n    depends_on: [db]\n  db: &db\n    image: pg\n    volumes: [data:/var, ./x:/y:ro]\nvolumes: {data: }\n',
    'x-a: &a {image: b}\nservices:\n  c:\n    <<: *a\n    mem_limit: 1g\n    deploy: {resources: {limits: {cpus: "0.5"}}}\n',
    'services: !reset\n---\nservices: {a: {extends: {service: b}}, b: {image: c, profiles: [d]}}\n',
    ...fixtures,
  ],
  words: [
    '&a ',
    '*a',
    '<<: ',
    '!reset ',
    '!override',
    '? ',
    '- ',
    '---\n',
    '|\n',
    '>-\n',
    '${A:-',
    '${A:?',
    '$$',
    '\t',
    '{',
    '[',
    '"',
    '%YAML 1.1\n',
    'extends: ',
    'include: ',
    '__proto__: ',
    '1e999',
    '0o7',
    '!!binary ',
  ],
  slowestMs: 1000,
  check: (bytes) => {
    const project = load(bytes.toString('utf8'));
    if (project !== undefined) configText(project, 'json');
  },
});

fuzzed('variables, env files and volumes', {
  corpus: [
    '${A:-${B:-c}} $A $$ ${C:?m} ${D+e}',
    'A=b\nexport C="d $A"\n# x\nE=\'f\'\n',
    'data:/var/lib:ro,z',
    'C:\\a:/b',
  ],
  words: ['${', '}', ':-', ':?', '$$', '"', "'", '\\', '\n', '=', 'export ', ':', ','],
  check: (bytes) => {
    const text = bytes.toString('utf8');
    try {
      substitute(text, { lookup: (name) => (name === 'A' ? 'x' : undefined) });
    } catch (error) {
      if (!(error instanceof InvalidTemplate || error instanceof MissingVariable)) throw error;
    }
    orFault(() => parseDotenv('.env', text, {}, () => 'x'));
    orFault(() => parseVolumeSpec(text));
  },
});

const hostile: Record<string, string> = {
  'flow lists a hundred thousand deep': `a: ${'['.repeat(100_000)}`,
  'flow maps as deep': `a: ${'{a: '.repeat(100_000)}`,
  'block lists as deep': '- '.repeat(100_000),
  'aliases of aliases': `a0: &a0 [x]\n${Array.from({ length: 40 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n},*a${n},*a${n}]\n`).join('')}`,
  'merges of merges': `x-0: &a0 {k: v}\n${Array.from({ length: 3000 }, (_, n) => `x-${n + 1}: &a${n + 1} {<<: [*a${n}, *a${n}]}\n`).join('')}`,
  'a megabyte of spaces in a line': `a:${' '.repeat(1_000_000)}b\n`,
  'a megabyte of tabs and spaces': `a: b\n${'\t '.repeat(500_000)}#\n`,
  'variables in variables': `services: {a: {image: "${'${A:-'.repeat(20_000)}x${'}'.repeat(20_000)}"}}`,
  'a hundred thousand dollars': `services: {a: {image: "${'${'.repeat(100_000)}"}}`,
  'an integer of a hundred thousand digits': `services: {a: {image: x, stop_grace_period: ${'9'.repeat(100_000)}}}`,
  'ports without end': 'services: {a: {image: x, ports: ["1-65535:1-65535", "0-99999999999:1"]}}',
  'a size beyond sizes': 'services: {a: {image: x, mem_limit: 999999999999999999999999e}}',
};
for (const [name, text] of Object.entries(hostile)) {
  test(name, { timeout: 120_000 }, () => {
    // Of the processor: how long it takes is the machine's affair.
    const before = process.threadCpuUsage();
    load(text);
    const took = process.threadCpuUsage(before).user / 1000;
    assert.ok(took < 10_000, `took ${Math.round(took)} ms of the processor`);
  });
}

const label = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll('$', ''));
const service = fc.record({
  image: fc.stringMatching(/^[a-z]{1,8}(?::[0-9]{1,3})?$/),
  labels: fc.dictionary(fc.stringMatching(/^[a-z.]{1,10}$/), label, { maxKeys: 4, noNullPrototype: true }),
  command: fc.array(label, { minLength: 1, maxLength: 4 }),
  privileged: fc.boolean(),
});

property(
  'what yaml prints is the project that is loaded',
  fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/), service, { minKeys: 1, maxKeys: 3 }),
  (services) => {
    const project = load(stringify({ services }, { version: '1.2' }));
    assert.ok(project !== undefined);
    assert.deepEqual(Object.keys(project.services).sort(), Object.keys(services).sort());
    for (const [name, wanted] of Object.entries(services)) {
      const found: (typeof project.services)[string] = project.services[name]!;
      assert.equal(found.image, wanted.image);
      assert.deepEqual({ ...found.labels }, wanted.labels);
      assert.deepEqual(found.command, wanted.command);
      assert.equal(found.privileged ?? false, wanted.privileged);
    }
  },
  { runs: 150 },
);
