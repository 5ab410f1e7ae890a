import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  familiarName,
  familiarReference,
  formatReference,
  parseAnyReference,
  parseReference,
  withDefaultTag,
  withTag,
} from './reference.ts';

const hex = 'a'.repeat(64);

const good: [text: string, familiar: string, full: string][] = [
  ['busybox', 'busybox', 'docker.io/library/busybox'],
  ['busybox:1', 'busybox:1', 'docker.io/library/busybox:1'],
  ['docker.io/busybox', 'busybox', 'docker.io/library/busybox'],
  ['index.docker.io/library/busybox:x', 'busybox:x', 'docker.io/library/busybox:x'],
  ['docker.io/library/a/b', 'library/a/b', 'docker.io/library/a/b'],
  ['me/app', 'me/app', 'docker.io/me/app'],
  ['localhost/app', 'localhost/app', 'localhost/app'],
  ['localhost:5000/app:v1', 'localhost:5000/app:v1', 'localhost:5000/app:v1'],
  ['127.0.0.1:5000/a/b', '127.0.0.1:5000/a/b', '127.0.0.1:5000/a/b'],
  ['[::1]:5000/a', '[::1]:5000/a', '[::1]:5000/a'],
  ['Foo/bar', 'Foo/bar', 'Foo/bar'],
  ['quay.example/a__b/c-d.e', 'quay.example/a__b/c-d.e', 'quay.example/a__b/c-d.e'],
  [`x:t@sha256:${hex}`, `x:t@sha256:${hex}`, `docker.io/library/x:t@sha256:${hex}`],
  [`a/${hex}`, `a/${hex}`, `docker.io/a/${hex}`],
  ['x:T_a.g-1', 'x:T_a.g-1', 'docker.io/library/x:T_a.g-1'],
];

test('references normalise and print as Docker prints them', () => {
  for (const [text, familiar, full] of good) {
    const reference = parseReference(text);
    assert.equal(familiarReference(reference), familiar, text);
    assert.equal(formatReference(reference), full, text);
  }
});

const bad: [text: string, message: string][] = [
  ['', 'invalid reference format'],
  ['a b', 'invalid reference format'],
  ['a//b', 'invalid reference format'],
  ['-x', 'invalid reference format'],
  ['x:', 'invalid reference format'],
  [`x:${'t'.repeat(129)}`, 'invalid reference format'],
  ['x@sha256:abc', 'invalid reference format'],
  ['x@sha256:' + 'a'.repeat(40), 'invalid checksum digest length'],
  ['x@md5:' + 'a'.repeat(32), 'unsupported digest algorithm'],
  ['Busybox', 'invalid reference format: repository name (library/Busybox) must be lowercase'],
  ['me/App:1', 'invalid reference format: repository name (me/App) must be lowercase'],
  [hex, `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`],
  [`me/${'a'.repeat(254)}`, 'repository name must not be more than 255 characters'],
];

test('what is no reference is refused in the words of distribution/reference', () => {
  for (const [text, message] of bad) {
    assert.throws(() => parseReference(text), { kind: 'invalid', message }, text);
  }
});

test('parseAnyReference takes ids and digests for content', () => {
  assert.equal(parseAnyReference(hex), `sha256:${hex}`);
  assert.equal(parseAnyReference(`sha256:${hex}`), `sha256:${hex}`);
  assert.equal(typeof parseAnyReference('sha256:abcd'), 'object');
});

test('default tag and changed tag', () => {
  assert.equal(familiarReference(withDefaultTag(parseReference('x'))), 'x:latest');
  assert.equal(familiarReference(withDefaultTag(parseReference('x:1'))), 'x:1');
  assert.equal(familiarReference(withTag(parseReference(`x@sha256:${hex}`), '2')), 'x:2');
  assert.throws(() => withTag(parseReference('x'), '-bad'), { message: 'invalid tag format' });
});

const component = fc.stringMatching(/^[a-z0-9]{1,8}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,8}){0,2}$/);
const domain = fc.stringMatching(/^(?:[a-z][a-z0-9]{0,6}\.[a-z]{2,5}|localhost)(?::[0-9]{1,5})?$/);
const tag = fc.stringMatching(/^\w[\w.-]{0,20}$/);

test('any printed reference parses to itself, in both forms', () => {
  fc.assert(
    fc.property(
      fc.option(domain),
      fc.array(component, { minLength: 1, maxLength: 3 }),
      fc.option(tag),
      (host, path, name) => {
        const text = `${host === null ? '' : `${host}/`}${(host === null ? ['me', ...path] : path).join('/')}${name === null ? '' : `:${name}`}`;
        fc.pre(!/^[a-f0-9]{64}$/.test(text));
        const reference = parseReference(text);
        assert.deepEqual(parseReference(formatReference(reference)), reference);
        assert.deepEqual(parseReference(familiarReference(reference)), reference);
        assert.ok(formatReference(reference).endsWith(familiarName(reference) + (name === null ? '' : `:${name}`)));
      },
    ),
  );
});

test('no text makes the parser fail with anything but a Fault', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
      try {
        parseReference(text);
      } catch (error) {
        assert.equal((error as { kind?: string }).kind, 'invalid');
      }
    }),
  );
});
