/** Image references, digests and platforms: parsed or refused in linear time, and printed as what they were. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  familiarReference,
  formatPlatform,
  formatReference,
  parseAnyReference,
  parseDigest,
  parsePlatform,
  parseReference,
  withDefaultTag,
  withTag,
} from '../../src/oci/index.ts';
import { fuzzed, orFault, property } from '../support/fuzz.ts';

function read(text: string): void {
  orFault(() => parseAnyReference(text));
  orFault(() => parseDigest(text));
  const platform = orFault(() => parsePlatform(text));
  if (platform !== undefined) assert.deepEqual(parsePlatform(formatPlatform(platform)), platform);
  const reference = orFault(() => parseReference(text));
  if (reference === undefined) return;
  assert.deepEqual(parseReference(formatReference(reference)), reference, text);
  // As in Docker: without the Hub's name, a first component with a dot or a colon looks like another registry.
  const isAmbiguous = reference.domain === 'docker.io' && /^(localhost|[^/]*\.[^/]*)\//.test(reference.path);
  if (!isAmbiguous) assert.deepEqual(parseReference(familiarReference(reference)), reference, text);
  withDefaultTag(reference);
  orFault(() => withTag(reference, text));
  // Paths are made of these: nothing in them leads elsewhere.
  assert.doesNotMatch(reference.path, /(^|\/)\.{1,2}(\/|$)|^\/|\/$|\/\//);
  assert.doesNotMatch(formatReference(reference), /[\0-\x20\x7f-\uffff%\\]/);
}

fuzzed('references', {
  corpus: [
    'busybox',
    'library/busybox:1.36',
    'example.com:5000/a/b_c.d--e:tag',
    `a/b@sha256:${'0'.repeat(64)}`,
    '[fd00::1]:5000/x:y',
    'localhost/a',
    'linux/arm64/v8',
    'f'.repeat(64),
    `${'a-'.repeat(2000)}a`,
    `${'a.'.repeat(2000)}A`,
    `${'a'.repeat(20_000)}!`,
    `${'a/'.repeat(9000)}!`,
  ],
  words: [
    '/',
    ':',
    '@sha256:',
    '..',
    '%2f',
    '\0',
    '\n',
    'é',
    '__',
    '--',
    'A',
    'docker.io/',
    'constructor:',
    '__proto__',
  ],
  check: (bytes) => read(bytes.toString('utf8')),
});

const component = fc.stringMatching(/^[a-z0-9]{1,8}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,5}){0,2}$/);
const parts = fc.record({
  domain: fc.constantFrom('', 'example.com/', 'localhost:5000/', '[fd00::1]:80/', 'EXAMPLE/', 'docker.io/'),
  path: fc.array(component, { minLength: 1, maxLength: 4 }).map((names) => names.join('/')),
  tag: fc.oneof(fc.constant(''), fc.stringMatching(/^:\w[\w.-]{0,20}$/)),
  digest: fc.oneof(
    fc.constant(''),
    fc.stringMatching(/^[a-f0-9]{64}$/).map((hex) => `@sha256:${hex}`),
  ),
});

property(
  'references of the grammar are taken, and mean the same when they are printed',
  parts,
  ({ domain, path, tag, digest }) => {
    const reference = parseReference(`${domain}${path}${tag}${digest}`);
    assert.equal(reference.tag ?? '', tag.slice(1));
    assert.equal(reference.digest ?? '', digest.slice(1));
    assert.ok(reference.path.endsWith(path.includes('/') && domain === '' ? path.slice(path.indexOf('/') + 1) : path));
    read(`${domain}${path}${tag}${digest}`);
  },
);

property(
  'any text',
  fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...Array.from('ab./:@-_A[]')) }),
  ),
  read,
);
