import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { UpstreamCredentials } from './credentials.ts';
import { openFixture } from './fixture.ts';

function file(t: { after: (task: () => void) => void }, value: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-credentials-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'upstream.json');
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value), { mode: 0o600 });
  return path;
}

test('by registry, in the names docker login gives them; read again when the file changed', async (t) => {
  const auth = Buffer.from('captain:ahoy').toString('base64');
  const path = file(t, {
    auths: { 'https://index.docker.io/v1/': { auth }, 'quay.io': { username: 'u', password: 'p' } },
  });
  const credentials = new UpstreamCredentials(path);
  assert.deepEqual(await credentials.for('docker.io'), { auth });
  assert.deepEqual(await credentials.for('quay.io'), { username: 'u', password: 'p' });
  assert.equal(await credentials.for('ghcr.io'), undefined);
  writeFileSync(path, JSON.stringify({ auths: { 'ghcr.io': { identitytoken: 'token' }, 'quay.io': {} } }));
  assert.deepEqual(await credentials.for('ghcr.io'), { identitytoken: 'token' });
  assert.equal(await credentials.for('quay.io'), undefined);
  assert.equal(await new UpstreamCredentials(undefined).for('docker.io'), undefined);
});

test('a file that others may read, or that is none, is not used, and not quoted', async (t) => {
  const open = file(t, { auths: {} });
  chmodSync(open, 0o640);
  await assert.rejects(new UpstreamCredentials(open).for('docker.io'), /others than root may read or change it/);
  await assert.rejects(
    new UpstreamCredentials('/nowhere').for('docker.io'),
    /^Fault: Cannot use the credentials in \/nowhere: ENOENT/,
  );
  for (const text of ['s3cret', '[]', '{}', '{"auths":1}']) {
    await assert.rejects(new UpstreamCredentials(file(t, text)).for('docker.io'), (error: Error) => {
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
  }
});

test("the cache asks with the operator's", async (t) => {
  await using double = await RegistryDouble.open({
    access: { kind: 'token', users: { captain: 'ahoy' }, private: /^secret/ },
  });
  double.store.addImage('secret', '1', [Buffer.alloc(1000)]);
  const credentials = file(t, { auths: { [double.host]: { username: 'captain', password: 'ahoy' } } });
  await using cache = await openFixture({ upstreams: [double.host], credentials });
  const manifest = await cache.get(`/v2/secret/manifests/1?ns=${double.host}`);
  assert.equal(manifest.status, 200);
  const { config } = JSON.parse(manifest.body.toString()) as { config: { digest: string } };
  assert.equal((await cache.get(`/v2/secret/blobs/${config.digest}?ns=${double.host}`)).status, 200);
  chmodSync(credentials, 0o644);
  writeFileSync(credentials, '{"auths":{}}');
  cache.pass(31_000);
  const broken = await cache.get(`/v2/secret/manifests/2?ns=${double.host}`);
  assert.equal(broken.status, 500);
  assert.doesNotMatch(broken.body.toString(), /upstream\.json/, 'not for clients');
  assert.match(cache.log.join('\n'), /error the pull-through cache failed .*others than root may read/);
});
