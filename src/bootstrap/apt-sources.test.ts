import assert from 'node:assert/strict';
import { test } from 'node:test';
import { debianSources } from './apt-sources.ts';

test('stanzas and lines of the release, and nobody else’s', () => {
  const deb822 = `Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm

Types: deb
URIs: https://other.example/node_20.x
Suites: nodistro
Components: main
`;
  const found = debianSources([{ name: 'debian.sources', text: deb822 }], 'bookworm');
  assert.match(found, /^Types: deb\nURIs: http:\/\/mirror\.example\/debian\nSuites: bookworm bookworm-updates\n/);
  assert.match(found, /\n\nTypes: deb deb-src\nURIs: http:\/\/mirror\.example\/debian-security\n/);
  assert.doesNotMatch(found, /other|off\.example|comment/);
  const lines = `deb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main contrib # x
deb http://a.example/debian trixie main
# deb http://b.example/debian bookworm main
deb-src http://a.example/debian bookworm main
`;
  assert.equal(
    debianSources([{ name: 'sources.list', text: lines }], 'bookworm'),
    'Types: deb\nURIs: http://a.example/debian\nSuites: bookworm\nComponents: main contrib\nSigned-By: /k.gpg\n',
  );
  assert.equal(debianSources([], 'bookworm'), '');
});
