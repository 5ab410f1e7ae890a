import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatReference } from '../oci/index.ts';
import type { Refusal } from './refusal.ts';
import { parseRoute } from './route.ts';

const served = new Set(['docker.io', 'quay.io', 'localhost:5000']);
const digest = `sha256:${'a'.repeat(64)}`;

function read(target: string): string {
  const route = parseRoute(target, served);
  if (route.kind === 'ping') return 'ping';
  const of = formatReference(route.reference);
  if (route.kind === 'blob') return `blob ${of} ${route.digest}`;
  return route.kind === 'manifest' ? `manifest ${of}` : `tags ${of} [${route.query}]`;
}

function refused(target: string): string {
  try {
    return read(target);
  } catch (error) {
    const { status, code } = error as Refusal;
    return `${status} ${code}`;
  }
}

test('who names no registry means the default one', () => {
  assert.equal(read('/v2/'), 'ping');
  assert.equal(read('/v2'), 'ping');
  assert.equal(read('/v2/library/busybox/manifests/latest'), 'manifest docker.io/library/busybox:latest');
  assert.equal(read('/v2/busybox/manifests/1'), 'manifest docker.io/library/busybox:1', 'as people write it');
  assert.equal(read(`/v2/team/app/manifests/${digest}`), `manifest docker.io/team/app@${digest}`);
  assert.equal(read(`/v2/team/app/blobs/${digest}`), `blob docker.io/team/app ${digest}`);
  assert.equal(read(`/v2/team/app/blobs/${digest.replace(':', '%3A')}`), `blob docker.io/team/app ${digest}`);
  assert.equal(read('/v2/a/manifests/b/manifests/c'), 'manifest docker.io/a/manifests/b:c');
  assert.equal(read('/v2/team/app/tags/list?n=10&last=a'), 'tags docker.io/team/app [n=10&last=a]');
});

test('?ns= names one, as containerd does, and so does the beginning of the path', () => {
  assert.equal(read('/v2/team/app/manifests/1?ns=quay.io'), 'manifest quay.io/team/app:1');
  assert.equal(read('/v2/app/manifests/1?ns=quay.io'), 'manifest quay.io/app:1');
  assert.equal(read('/v2/library/busybox/manifests/1?ns=docker.io'), 'manifest docker.io/library/busybox:1');
  assert.equal(read('/v2/team/app/tags/list?ns=quay.io&n=2'), 'tags quay.io/team/app [n=2]');
  assert.equal(read('/v2/quay.io/team/app/manifests/1'), 'manifest quay.io/team/app:1');
  assert.equal(read('/v2/localhost:5000/app/manifests/1'), 'manifest localhost:5000/app:1');
  assert.equal(read('/v2/localhost__5000/app/manifests/1'), 'manifest localhost:5000/app:1');
  assert.equal(read('/v2/team__1/app/manifests/1?ns=quay.io'), 'manifest quay.io/team__1/app:1');
  for (const name of ['docker.io', 'index.docker.io', 'registry-1.docker.io', 'DOCKER.IO'])
    assert.equal(read(`/v2/${name}/library/busybox/manifests/1`), 'manifest docker.io/library/busybox:1');
  assert.equal(read('/v2/team/app/manifests/1?ns=registry-1.docker.io'), 'manifest docker.io/team/app:1');
});

test('other registries are not served, and no file or host is named by a client', () => {
  for (const target of [
    '/v2/ghcr.io/team/app/manifests/1',
    '/v2/team/app/manifests/1?ns=ghcr.io',
    '/v2/169.254.169.254/latest/manifests/1',
    '/v2/team/app/manifests/1?ns=127.0.0.1:22',
    '/v2/localhost/app/manifests/1',
  ])
    assert.equal(refused(target), '403 DENIED', target);
  for (const target of [
    '/v2/team/app/manifests/1?ns=',
    '/v2/team/app/manifests/1?ns=quay.io/team',
    '/v2/team/app/manifests/1?ns=user@quay.io',
    '/v2/team/app/manifests/1?ns=quay.io%0d%0ax',
    '/v2/../../etc/manifests/1',
    '/v2/%2e%2e/%2e%2e/etc/manifests/1',
    '/v2/team/App/manifests/1',
    '/v2/team/app:1/manifests/1',
    `/v2/team/app@${digest}/manifests/1`,
    '/v2/team//app/manifests/1',
    '/v2/team/app%00/manifests/1',
    '/v2/team/%/manifests/1',
    `/v2/${'a/'.repeat(200)}a/manifests/1`,
  ])
    assert.equal(refused(target), '400 NAME_INVALID', target);
  assert.equal(refused('/v2/team/app/manifests/..'), '400 MANIFEST_INVALID');
  assert.equal(refused(`/v2/team/app/manifests/${'a'.repeat(200)}`), '400 MANIFEST_INVALID');
  for (const bad of ['sha256:abc', `md5:${'a'.repeat(32)}`, `sha256:${'A'.repeat(64)}`, 'latest'])
    assert.equal(refused(`/v2/team/app/blobs/${bad}`), '400 DIGEST_INVALID', bad);
  assert.equal(refused('/v2/team/app/manifests/sha256:abc'), '400 DIGEST_INVALID');
  for (const target of ['/', '/v1/', '/v2/_catalog', '/v2/team/app', '/v2/team/app/blobs/uploads/', 'http://a/v2/'])
    assert.equal(refused(target), '404 UNSUPPORTED', target);
  assert.equal(refused(`/v2/${'a'.repeat(3000)}/manifests/1`), '414 UNSUPPORTED');
});
