/** From what is there to what must be done: no engine is asked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { label } from '../labels.ts';
import { serviceHash } from '../print/hash.ts';
import type { Container, Observed } from '../observe.ts';
import type { Project, Service } from '../project.ts';
import { planUp, type UpRequest } from './up.ts';
import { type Step, verbOf } from './step.ts';

const service = (name: string, more: Partial<Service> = {}): Service => ({
  name,
  image: 'busybox',
  command: null,
  entrypoint: null,
  ...more,
});

const projectOf = (services: Service[], more: Partial<Project> = {}): Project => ({
  name: 'p',
  workingDir: '/p',
  composeFiles: ['/p/compose.yaml'],
  envFiles: [],
  askedEnvFiles: [],
  environment: {},
  profiles: [],
  services: Object.fromEntries(services.map((each) => [each.name, each])),
  disabledServices: {},
  networks: {},
  volumes: {},
  secrets: {},
  configs: {},
  models: {},
  ...more,
});

const container = (own: Service, number = 1, more: Partial<Container> = {}): Container => ({
  Id: `${own.name}${number}`.padEnd(64, '0'),
  Names: [`/p-${own.name}-${number}`],
  Image: 'busybox',
  ImageID: 'sha256:one',
  Command: '',
  Created: 0,
  Ports: [],
  Labels: {
    [label.project]: 'p',
    [label.service]: own.name,
    [label.number]: String(number),
    [label.hash]: serviceHash(own),
    [label.image]: 'sha256:one',
    [label.oneOff]: 'False',
  },
  State: 'running',
  Status: 'Up',
  HostConfig: { NetworkMode: 'none' },
  NetworkSettings: { Networks: {} },
  Mounts: [],
  ...more,
});

function plan(
  project: Project,
  containers: Container[],
  more: Partial<UpRequest> = {},
  observed: Partial<Observed> = {},
) {
  return planUp({
    project,
    observed: { containers, networks: [], volumes: [], ...observed },
    images: new Map([['busybox', 'sha256:one']]),
    services: [],
    recreate: 'diverged',
    recreateDependencies: 'diverged',
    inherit: true,
    timeout: undefined,
    removeOrphans: false,
    ignoreOrphans: false,
    renewVolumes: new Set(),
    start: true,
    isProvided: false,
    wait: false,
    ...more,
  });
}

const said = (steps: readonly Step[]): string[] =>
  steps.map((step) => `${verbOf(step)} ${step.subject.replace('Container p-', '')}: ${step.because}`);

test('what is as it should be is kept, and nothing else is done', () => {
  const web = service('web');
  const { create, start } = plan(projectOf([web]), [container(web)]);
  assert.deepEqual(said(create), ['keep web-1: nothing of it changed']);
  assert.deepEqual(start, []);
});

test('another configuration, image, network or volume is a reason', () => {
  const web = service('web');
  const changed = service('web', { user: 'other' });
  assert.deepEqual(said(plan(projectOf([changed]), [container(web)]).create), [
    'recreate web-1: its configuration changed',
  ]);
  const images = new Map([['busybox', 'sha256:two']]);
  assert.deepEqual(said(plan(projectOf([web]), [container(web)], { images }).create), [
    'recreate web-1: its image changed (one → two)',
  ]);
  const mounting = service('web', { volumes: [{ type: 'volume', source: 'data', target: '/d' }] });
  const withVolume = projectOf([mounting], { volumes: { data: { name: 'p_data', external: true } } });
  const volume = {
    Name: 'p_data',
    Labels: null,
    CreatedAt: '',
    Driver: 'local',
    Mountpoint: '',
    Options: null,
    Scope: '',
  };
  assert.deepEqual(said(plan(withVolume, [container(mounting)], {}, { volumes: [volume] }).create), [
    'recreate web-1: volume p_data is not mounted',
  ]);
  assert.deepEqual(said(plan(projectOf([changed]), [container(web)], { recreate: 'never' }).create), [
    'keep web-1: nothing of it changed',
  ]);
});

test('recreate rules of dependencies are those of services that nobody asked for', () => {
  const db = service('db');
  const web = service('web', { depends_on: { db: { condition: 'service_started', required: true } } });
  const request = { services: ['web'], recreate: 'force', recreateDependencies: 'diverged' } as const;
  assert.deepEqual(said(plan(projectOf([db, web]), [container(db), container(web)], request).create), [
    'keep db-1: nothing of it changed',
    'recreate web-1: all are made anew (--force-recreate, --always-recreate-deps)',
  ]);
});

test('scaling keeps what is up to date, and the lowest numbers', () => {
  const web = service('web', { scale: 2 });
  const old = service('web', { user: 'old' });
  const three = [container(web, 1), { ...container(old, 2) }, container(web, 3)];
  assert.deepEqual(said(plan(projectOf([web]), three).create).toSorted(), [
    'keep web-1: nothing of it changed',
    'keep web-3: nothing of it changed',
    'remove web-2: the service is scaled to 2',
  ]);
  const more = plan(projectOf([service('web', { scale: 4 })]), [container(web, 2)]).create;
  assert.deepEqual(said(more), [
    'keep web-2: nothing of it changed',
    ...[3, 4, 5].map((number) => `create web-${number}: the service is scaled to 4`),
  ]);
});

test('what an up left half done when it was killed is finished: the successor gets its own name', () => {
  const web = service('web');
  const old = service('web', { user: 'old' });
  const named = (id: string, from: Service, name?: string): Container => ({
    ...container(from),
    Id: id.repeat(64),
    ...(name === undefined ? {} : { Names: [`/${name}`] }),
  });
  const successor = `${'a'.repeat(12)}_p-web-1`;
  const renamed = `rename ${successor.slice(0, 12)}_p-web-1: it took the place of another that is gone`;
  const whole = (project: Project, there: Container[]) =>
    plan(project, there).create.map((step) =>
      `${verbOf(step)} ${step.subject}: ${step.because}`.replace('Container ', ''),
    );
  assert.deepEqual(whole(projectOf([web]), [named('b', web, successor)]), [
    renamed,
    `keep ${successor}: nothing of it changed`,
  ]);
  const both = plan(projectOf([web]), [named('a', old), named('b', web, successor)]).create;
  assert.deepEqual(both.map(verbOf), ['remove', 'rename', 'keep']);
  assert.deepEqual(both[1]?.needs, [both[0]]);
  // Another version since: the one left over goes before its name is taken again.
  const again = plan(projectOf([service('web', { user: 'newer' })]), [
    named('b', web, successor),
    named('a', old),
  ]).create;
  assert.deepEqual(again.map(verbOf), ['remove', 'recreate']);
  assert.equal(again[0]?.subject, `Container ${successor}`);
  assert.ok(again[1]?.needs.includes(again[0]));
});

test('a start needs what it depends on: started, or waited for', () => {
  const db = service('db');
  const job = service('job');
  const web = service('web', {
    depends_on: {
      db: { condition: 'service_healthy', required: true },
      job: { condition: 'service_completed_successfully', required: false },
    },
  });
  const { start } = plan(projectOf([web, db, job]), []);
  assert.deepEqual(said(start), [
    'start db-1: it is new',
    'start job-1: it is new',
    'wait Service db: web depends on it',
    'wait Service job: web depends on it',
    'start web-1: it is new',
  ]);
  const needs = start.at(-1)!.needs.map((step) => step.subject);
  assert.deepEqual(needs, ['Container p-db-1', 'Service db', 'Container p-job-1', 'Service job']);
});

test('who shares a namespace is made anew with its owner, and made after it', () => {
  const owner = service('owner');
  const guest = service('guest', {
    network_mode: 'service:owner',
    depends_on: { owner: { condition: 'service_started', restart: true, required: true } },
  });
  const resolved = { ...guest, network_mode: `container:${'owner1'.padEnd(64, '0')}` };
  const there = [container(owner), container(resolved)];
  assert.deepEqual(said(plan(projectOf([owner, guest]), there).create), [
    'keep owner-1: nothing of it changed',
    'keep guest-1: nothing of it changed',
  ]);
  const changed = service('owner', { user: 'x' });
  const { create } = plan(projectOf([changed, guest]), there);
  assert.deepEqual(said(create), [
    'stop guest-1: owner, which it depends on, is made anew',
    'recreate owner-1: its configuration changed',
    'recreate guest-1: it shares the network namespace of owner, which is made anew',
  ]);
  assert.ok(create[2]!.needs.includes(create[1]!));
});

test('orphans are told, or removed', () => {
  const web = service('web');
  const gone = service('gone');
  const both = [container(web), container(gone)];
  assert.match(plan(projectOf([web]), both).warnings.join(), /Found orphan containers \(\[p-gone-1\]\)/);
  assert.deepEqual(plan(projectOf([web]), both, { ignoreOrphans: true }).warnings, []);
  assert.deepEqual(said(plan(projectOf([web]), both, { removeOrphans: true }).create), [
    'remove gone-1: the project has no service gone',
    'keep web-1: nothing of it changed',
  ]);
  // One that a profile switched off is no orphan.
  const off = projectOf([web], { disabledServices: { gone } });
  assert.deepEqual(plan(off, both).warnings, []);
});

test('--wait ends with all running or healthy, one-shots ended', () => {
  const job = service('job');
  const web = service('web', { depends_on: { job: { condition: 'service_completed_successfully', required: true } } });
  const { start } = plan(projectOf([web, job]), [], { wait: true });
  const waits = start.flatMap((step) => (step.kind === 'wait' ? [`${step.wait.service} ${step.wait.condition}`] : []));
  assert.deepEqual(waits, ['job service_completed_successfully', 'web running_or_healthy']);
});
