/**
 * What the engine counts, for Prometheus: Docker's well-known names, and Wherry's own. A scrape reads counters, the kernel's
 * accounts of running containers and /proc, and never walks a disk.
 */
import { readdirSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { Containers } from '../api/index.ts';
import type { ContainerUsage } from '../container/index.ts';
import { counter, gauge, HistogramVector, type MetricFamily, type Sample } from '../std/index.ts';
import { productVersion, wherryVersion } from './version.ts';

export interface MetricSources {
  readonly id: string;
  readonly counts: () => { running: number; paused: number; stopped: number };
  readonly usage: () => ContainerUsage[];
  /** Since the start, as all counters. */
  readonly events: () => number;
  readonly healthChecks: () => { done: number; failed: number };
  readonly actions: ContainerActions;
}

export async function engineMetrics(sources: MetricSources): Promise<MetricFamily[]> {
  return [...dockerFamilies(sources), ...containerFamilies(sources.usage()), ...(await processFamilies())];
}

/** The verbs that Docker times too. */
const timed = ['changes', 'commit', 'create', 'remove', 'start'] as const;
const dockerNames: Readonly<Record<(typeof timed)[number], string>> = {
  changes: 'changes',
  commit: 'commit',
  create: 'create',
  remove: 'delete',
  start: 'start',
};

/** How long verbs on containers take; those that fail do not count. */
export class ContainerActions {
  readonly #seconds = new HistogramVector(
    'engine_daemon_container_actions_seconds',
    'The number of seconds it takes to process each container action',
  );

  constructor() {
    for (const name of timed) this.#seconds.declare({ action: dockerNames[name] });
  }

  /** The same verbs, timed. */
  watch(containers: Containers): Containers {
    const time = <A extends unknown[], T>(verb: (typeof timed)[number], act: (...args: A) => Promise<T>) => {
      return async (...args: A): Promise<T> => {
        const began = performance.now();
        const result = await act(...args);
        this.#seconds.observe({ action: dockerNames[verb] }, (performance.now() - began) / 1000);
        return result;
      };
    };
    return {
      ...containers,
      changes: time('changes', (ref) => containers.changes(ref)),
      commit: time('commit', (options) => containers.commit(options)),
      create: time('create', (options) => containers.create(options)),
      remove: time('remove', (ref, options) => containers.remove(ref, options)),
      start: time('start', (ref) => containers.start(ref)),
    };
  }

  family(): MetricFamily {
    return this.#seconds.family();
  }
}

function dockerFamilies({ id, counts, events, healthChecks, actions }: MetricSources): MetricFamily[] {
  const { running, paused, stopped } = counts();
  const { done, failed } = healthChecks();
  const inState = (state: string, value: number): Sample => ({ labels: { state }, value });
  return [
    actions.family(),
    gauge('engine_daemon_container_states_containers', 'The count of containers in various states', [
      inState('paused', paused),
      inState('running', running),
      inState('stopped', stopped),
    ]),
    gauge('engine_daemon_engine_cpus_cpus', 'The number of cpus that the host system of the engine has', cpus().length),
    gauge('engine_daemon_engine_info', 'The information related to the engine and the OS it is running on', [
      {
        labels: {
          architecture: arch() === 'x64' ? 'x86_64' : arch() === 'arm64' ? 'aarch64' : arch(),
          commit: 'wherry',
          daemon_id: id,
          graphdriver: 'overlay2',
          kernel: release(),
          os_type: 'linux',
          version: productVersion,
        },
        value: 1,
      },
    ]),
    gauge(
      'engine_daemon_engine_memory_bytes',
      'The number of bytes of memory that the host system of the engine has',
      totalmem(),
    ),
    counter('engine_daemon_events_total', 'The number of events logged', events()),
    counter('engine_daemon_health_checks_total', 'The total number of health checks', done),
    counter('engine_daemon_health_checks_failed_total', 'The total number of failed health checks', failed),
    gauge('wherry_info', "Wherry's version", [{ labels: { version: wherryVersion }, value: 1 }]),
  ];
}

function containerFamilies(usage: readonly ContainerUsage[]): MetricFamily[] {
  const samples = (read: (each: ContainerUsage) => number | undefined): Sample[] =>
    usage.flatMap((each) => {
      const value = read(each);
      return value === undefined ? [] : [{ labels: containerLabels(each), value }];
    });
  return [
    counter(
      'wherry_container_cpu_seconds_total',
      'CPU time that a running container has used',
      samples(({ cpuSeconds }) => cpuSeconds),
    ),
    gauge(
      'wherry_container_memory_bytes',
      'Memory of a running container, its page cache included',
      samples(({ memoryBytes }) => memoryBytes),
    ),
    gauge(
      'wherry_container_pids',
      'Processes and threads of a running container',
      samples(({ pids }) => pids),
    ),
  ];
}

/** Every series has all labels: empty ones count as absent for Prometheus. */
function containerLabels({ name, image, labels }: ContainerUsage): Record<string, string> {
  return {
    name,
    image,
    project: labels['com.docker.compose.project'] ?? '',
    service: labels['com.docker.compose.service'] ?? '',
  };
}

async function processFamilies(): Promise<MetricFamily[]> {
  const { user, system } = process.cpuUsage();
  const families = [
    counter('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds', (user + system) / 1e6),
    gauge('process_resident_memory_bytes', 'Resident memory size in bytes', process.memoryUsage.rss()),
    // Reading the folder opens one more.
    gauge('process_open_fds', 'Number of open file descriptors', readdirSync('/proc/self/fd').length - 1),
    gauge(
      'process_start_time_seconds',
      'Start time of the process since unix epoch in seconds',
      performance.timeOrigin / 1000,
    ),
    counter(
      'wherry_event_loop_active_seconds_total',
      'Time in which the daemon was not waiting',
      performance.eventLoopUtilization().active / 1000,
    ),
  ];
  return [
    ...families,
    gauge('wherry_event_loop_lag_seconds', 'How long a task waited for its turn, now', await eventLoopLag()),
  ];
}

/** Measured when asked: a clock of its own would wake an idle machine. */
function eventLoopLag(): Promise<number> {
  const began = performance.now();
  return new Promise((resolve) => {
    setImmediate(() => resolve((performance.now() - began) / 1000));
  });
}
