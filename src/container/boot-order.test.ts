/** Which container waits for which when the daemon comes up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootDependencies } from './boot-order.ts';

type Known = Parameters<typeof bootDependencies>[0][number];

const of = (id: string, dependencies = '', more: Partial<Known> = {}, project = 'p'): Known => ({
  id,
  name: `${project}-${id}`,
  config: {
    Labels: {
      'com.docker.compose.project': project,
      'com.docker.compose.service': id.replace(/\d+$/, ''),
      'com.docker.compose.depends_on': dependencies,
    },
  },
  hostConfig: {},
  ...more,
});

const waits = (containers: readonly Known[]): Record<string, string[]> =>
  Object.fromEntries(
    [...bootDependencies(containers)].map(([id, list]) => [id, list.map((each) => `${each.id} ${each.until}`)]),
  );

test('all containers of what compose says that a service depends on, until its condition', () => {
  const containers = [
    of('db1'),
    of('db2'),
    of('job1'),
    of('web1', 'db:service_healthy:true,job:service_completed_successfully:false,gone:service_started:false'),
  ];
  assert.deepEqual(waits(containers), {
    db1: [],
    db2: [],
    job1: [],
    web1: ['db1 healthy', 'db2 healthy', 'job1 completed'],
  });
});

test('the same service of another project is another', () => {
  assert.deepEqual(waits([of('db1', '', {}, 'other'), of('web1', 'db:service_started:false')])['web1'], []);
});

test('who shares a namespace comes after its owner, by id or name, compose or not', () => {
  const plain = { id: 'x', name: 'plain', config: {}, hostConfig: { NetworkMode: 'container:owner', PidMode: 'host' } };
  const owner = { id: 'o', name: 'owner', config: {}, hostConfig: {} };
  assert.deepEqual(waits([plain, owner]), { x: ['o started'], o: [] });
});

test('who waits for itself, by whatever way round, waits for nothing', () => {
  const all = waits([
    of('a1', 'b:service_started:false'),
    of('b1', 'a:service_started:false'),
    of('c1', 'a:service_started:false'),
  ]);
  assert.deepEqual(all, { a1: [], b1: ['a1 started'], c1: ['a1 started'] });
});
