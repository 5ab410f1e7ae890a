/** What a broken file says: where, what it is, and what was meant. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadProject } from './load.ts';

const folder = mkdtempSync(join(tmpdir(), 'wherry-compose-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function messageOf(yaml: string): string {
  writeFileSync(join(folder, 'compose.yaml'), yaml);
  try {
    loadProject({}, { cwd: folder, env: {}, stdin: () => '', warn: () => {} });
  } catch (error) {
    return (error as Error).message;
  }
  return 'it loads';
}

const broken: readonly [what: string, yaml: string, first: string, place: string][] = [
  [
    'an unknown key',
    'services:\n  web:\n    imagee: nginx\n',
    'unknown key "imagee" in services.web (did you mean image?)',
    '3:5',
  ],
  [
    'an unknown key at the top',
    'service:\n  a: {image: a}\n',
    'unknown key "service" at the top level (did you mean services?)',
    '1:1',
  ],
  [
    'another kind of value',
    'services:\n  web:\n    image: a\n    ports: "80"\n',
    'services.web.ports must be a list',
    '4:12',
  ],
  [
    'a size that is none',
    'services:\n  a:\n    image: a\n    mem_limit: 12q\n',
    'services.a.mem_limit must be a size like 512m or 2gb, and not "12q"',
    '4:16',
  ],
  [
    'a bracket that is not closed',
    'services:\n  web: [a\n',
    'yaml: Flow sequence in block collection must be sufficiently indented and end with a ]',
    '2:11',
  ],
  ['a key twice', 'services:\n  a:\n    image: a\n    image: b\n', 'yaml: Map keys must be unique', '4:5'],
  [
    'a variable that must be set',
    'services:\n  web:\n    image: ${X?needed}\n',
    'error while interpolating services.web.image: required variable X is missing a value: needed',
    '3:12',
  ],
  [
    'a brace that is not closed',
    'services:\n  web:\n    image: ${X\n',
    'invalid interpolation format for services.web.image.',
    '3:12',
  ],
  [
    'a service that is not there',
    'services:\n  web:\n    image: a\n    depends_on: [db]\n',
    'service "web" depends on undefined service "db"',
    '4:17',
  ],
  [
    'a service to extend that is not there',
    'services:\n  a:\n    extends: {service: z}\n',
    'cannot extend service "a" in compose.yaml: service "z" not found',
    '3:14',
  ],
  [
    'a circle',
    'services:\n  a: {image: a, depends_on: [b]}\n  b: {image: b, depends_on: [a]}\n',
    'dependency cycle detected: a -> b -> a',
    '2:29',
  ],
];

for (const [what, yaml, first, place] of broken)
  test(`${what} is shown with its place and excerpt`, () => {
    const [head, ...excerpt] = messageOf(yaml).split('\n');
    assert.equal(head, `compose.yaml:${place}: ${first}`);
    const [line, column] = place.split(':').map(Number);
    const shown = excerpt.findIndex((each) => each.startsWith(`${line} | `));
    assert.ok(shown >= 0, excerpt.join('\n'));
    // What is missing after a line's end is shown at its end.
    const under = Math.min(column! - 1, yaml.split('\n')[line! - 1]!.length);
    assert.match(excerpt[shown + 1]!, new RegExp(`^ *\\| ${' '.repeat(under)}\\^+$`));
  });

test('a file of nothing', () => assert.equal(messageOf(''), 'empty compose file'));

test('rows of spaces and values in values end soon, with an error', () => {
  const started = performance.now();
  assert.match(messageOf(`a:${' '.repeat(1_000_000)}b\n`), /unknown key "a"/);
  assert.ok(performance.now() - started < 3000);
  for (const yaml of [`a: ${'['.repeat(100_000)}`, '- '.repeat(100_000), `a: ${'['.repeat(600)}${']'.repeat(600)}`])
    assert.match(messageOf(yaml), /values are nested too deeply/);
});
