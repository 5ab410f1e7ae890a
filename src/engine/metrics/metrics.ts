/**
 * What `GET /metrics` tells of the engine. A scrape reads what is in memory, the control groups of running containers and one
 * statfs: never the store. Docker's own names where Docker has one, `wherry_` before the rest.
 */
import type { ContainerUsage } from '../../container/index.ts';
import { counter, type FreeSpace, gauge, HistogramVector, type Labels, type MetricFamily } from '../../std/index.ts';
import { containerMetrics } from './container-metrics.ts';
import { processMetrics } from './process-metrics.ts';

/** Where the numbers come from. */
export interface MetricSources {
  readonly info: Labels;
  readonly cpus: number;
  readonly memory: number;
  counts(): { running: number; paused: number; stopped: number };
  usage(): Promise<ContainerUsage[]>;
  images(): number;
  volumes(): Promise<number>;
  networks(): Promise<number>;
  events(): number;
  disk(): FreeSpace;
  /** Rows of the last `system df`, whenever that was; undefined before the first. */
  space(): { atSeconds: number; rows: readonly { type: string; size: number; reclaimable: number }[] } | undefined;
  /** The last `system verify` that came to its end. */
  verified(): { atSeconds: number; problems: number } | undefined;
}

/** Two scrapers at once, or one in a loop, cost as much as one a second. */
const freshMs = 1000;

export class Metrics {
  readonly #containerActions = new HistogramVector(
    'engine_daemon_container_actions_seconds',
    'The number of seconds it takes to process each container action',
  );
  readonly #networkActions = new HistogramVector(
    'engine_daemon_network_actions_seconds',
    'The number of seconds it takes to process each network action',
  );
  readonly #probes = { all: 0, failed: 0 };
  #last: { at: number; families: Promise<MetricFamily[]> } | undefined;

  constructor() {
    for (const action of ['changes', 'commit', 'create', 'delete', 'start']) this.#containerActions.declare({ action });
    for (const action of ['allocate', 'release']) this.#networkActions.declare({ action });
  }

  readonly containerAction = (action: string, seconds: number): void =>
    this.#containerActions.observe({ action }, seconds);

  readonly networkAction = (action: string, seconds: number): void => this.#networkActions.observe({ action }, seconds);

  readonly probed = ({ healthy }: { healthy: boolean }): void => {
    this.#probes.all++;
    if (!healthy) this.#probes.failed++;
  };

  /** All families, at most a second old. */
  families(sources: MetricSources): Promise<MetricFamily[]> {
    const now = performance.now();
    if (this.#last === undefined || now - this.#last.at > freshMs)
      this.#last = { at: now, families: this.#read(sources) };
    return this.#last.families;
  }

  async #read(sources: MetricSources): Promise<MetricFamily[]> {
    const usage = await sources.usage();
    const [volumes, networks, process] = await Promise.all([sources.volumes(), sources.networks(), processMetrics()]);
    const { running, paused, stopped } = sources.counts();
    const disk = sources.disk();
    return [
      gauge('engine_daemon_engine_info', 'The information related to the engine and the OS it is running on', [
        { labels: sources.info, value: 1 },
      ]),
      gauge(
        'engine_daemon_engine_cpus_cpus',
        'The number of cpus that the host system of the engine has',
        sources.cpus,
      ),
      gauge(
        'engine_daemon_engine_memory_bytes',
        'The number of bytes of memory that the host system of the engine has',
        sources.memory,
      ),
      gauge('engine_daemon_container_states_containers', 'The count of containers in various states', [
        { labels: { state: 'paused' }, value: paused },
        { labels: { state: 'running' }, value: running },
        { labels: { state: 'stopped' }, value: stopped },
      ]),
      this.#containerActions.family(),
      this.#networkActions.family(),
      counter('engine_daemon_health_checks_total', 'The total number of health checks', this.#probes.all),
      counter(
        'engine_daemon_health_checks_failed_total',
        'The total number of failed health checks',
        this.#probes.failed,
      ),
      counter('engine_daemon_events_total', 'The number of events logged', sources.events()),
      gauge('wherry_images', 'Images of the engine', sources.images()),
      gauge('wherry_volumes', 'Volumes of the engine', volumes),
      gauge('wherry_networks', 'Networks of the engine', networks),
      gauge('wherry_data_root_size_bytes', 'Size of the file system that the data root is on', disk.total),
      gauge(
        'wherry_data_root_available_bytes',
        'Bytes that may still be written where the data root is',
        disk.available,
      ),
      gauge(
        'wherry_data_root_inodes',
        'Inodes of the file system that the data root is on; 0: no fixed number',
        disk.inodes,
      ),
      gauge('wherry_data_root_free_inodes', 'Inodes that are free where the data root is', disk.freeInodes),
      ...spaceMetrics(sources.space()),
      ...verifyMetrics(sources.verified()),
      ...containerMetrics(usage),
      ...process,
    ];
  }
}

function spaceMetrics(space: ReturnType<MetricSources['space']>): MetricFamily[] {
  if (space === undefined) return [];
  const { atSeconds, rows } = space;
  return [
    gauge(
      'wherry_disk_usage_bytes',
      'What takes the disk, as of the last `wherry system df` (see wherry_disk_usage_timestamp_seconds)',
      rows.map(({ type, size }) => ({ labels: { type }, value: size })),
    ),
    gauge(
      'wherry_disk_usage_reclaimable_bytes',
      'What of it could be freed, as of the last `wherry system df`',
      rows.map(({ type, reclaimable }) => ({ labels: { type }, value: reclaimable })),
    ),
    gauge('wherry_disk_usage_timestamp_seconds', 'When `wherry system df` was last asked', atSeconds),
  ];
}

function verifyMetrics(verified: ReturnType<MetricSources['verified']>): MetricFamily[] {
  if (verified === undefined) return [];
  return [
    gauge(
      'wherry_last_verify_timestamp_seconds',
      'When `wherry system verify` last came to its end',
      verified.atSeconds,
    ),
    gauge(
      'wherry_last_verify_problems',
      'Problems that the last `wherry system verify` found and left',
      verified.problems,
    ),
  ];
}
