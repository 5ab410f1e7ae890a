import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeEngine } from '../../test/support/fake-engine.ts';
import type { ContainerUsage } from '../container/index.ts';
import { metricText } from '../std/index.ts';
import { ContainerActions, engineMetrics } from './metrics.ts';

test("Docker's names, containers with their project, the process", async () => {
  const actions = new ContainerActions();
  const containers = actions.watch(createFakeEngine().containers);
  const { Id } = await containers.create({
    name: 'web',
    platform: undefined,
    body: { Image: 'busybox', Cmd: ['sleep', '1'] },
    apiVersion: '1.51',
  });
  await assert.rejects(containers.start('nosuch'));
  await containers.remove(Id, { volumes: false, force: true, link: false });
  const usage: ContainerUsage[] = [
    {
      name: 'shop-web-1',
      image: 'web:1',
      labels: { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'web' },
      cpuSeconds: 1.5,
      memoryBytes: 4096,
      pids: 3,
    },
    { name: 'odd"\n', image: '', labels: {}, cpuSeconds: undefined, memoryBytes: 1, pids: undefined },
  ];
  const text = metricText(
    await engineMetrics({
      id: 'me',
      counts: () => ({ running: 2, paused: 1, stopped: 3 }),
      usage: () => usage,
      events: () => 7,
      healthChecks: () => ({ done: 5, failed: 2 }),
      actions,
    }),
  );
  const has = (line: string): void => assert.ok(text.includes(`\n${line}\n`), `${line} in:\n${text}`);
  has('engine_daemon_container_states_containers{state="running"} 2');
  has('engine_daemon_container_states_containers{state="paused"} 1');
  has('engine_daemon_container_states_containers{state="stopped"} 3');
  has('engine_daemon_events_total 7');
  has('engine_daemon_health_checks_total 5');
  has('engine_daemon_health_checks_failed_total 2');
  has('engine_daemon_container_actions_seconds_count{action="create"} 1');
  has('engine_daemon_container_actions_seconds_count{action="delete"} 1');
  has('engine_daemon_container_actions_seconds_count{action="start"} 0');
  has('wherry_container_cpu_seconds_total{name="shop-web-1",image="web:1",project="shop",service="web"} 1.5');
  has('wherry_container_memory_bytes{name="odd\\"\\n",image="",project="",service=""} 1');
  has('wherry_container_pids{name="shop-web-1",image="web:1",project="shop",service="web"} 3');
  for (const name of ['process_resident_memory_bytes', 'process_open_fds', 'engine_daemon_engine_cpus_cpus'])
    assert.match(text, new RegExp(`^${name} [1-9]`, 'm'));
  assert.match(text, /^engine_daemon_engine_info\{.*daemon_id="me".*\} 1$/m);
  // Every line is a comment or a sample: Prometheus refuses a scrape for one that is neither.
  for (const line of text.trimEnd().split('\n'))
    assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z_]+="([^"\\\n]|\\.)*",?)+\})? \S+)$/);
});
