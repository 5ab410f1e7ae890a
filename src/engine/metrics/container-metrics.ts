/** What each container uses, as metrics. Pure. */
import { counter, gauge, type Labels, type MetricFamily, type Sample } from '../../std/index.ts';
import type { ContainerUsage, RunningUsage } from '../../container/index.ts';

type Running = ContainerUsage & { running: RunningUsage };

/** One family: what it is called, and what one running container has of it. */
interface Column {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** Undefined leaves the series out. */
  readonly value: (running: RunningUsage) => number | undefined;
}

const columns: readonly Column[] = [
  {
    name: 'wherry_container_start_time_seconds',
    help: 'When the container was started, in seconds since the epoch',
    type: 'gauge',
    value: ({ startedAtSeconds }) => startedAtSeconds,
  },
  {
    name: 'wherry_container_healthy',
    help: 'Whether the health check of the container passes (1), fails (0) or has not settled yet (-1)',
    type: 'gauge',
    value: ({ health }) => (health === undefined ? undefined : ({ healthy: 1, unhealthy: 0 }[health] ?? -1)),
  },
  {
    name: 'wherry_container_cpu_user_seconds_total',
    help: 'Processor time that the container spent in its own code',
    type: 'counter',
    value: ({ cpu }) => cpu.userNanos / 1e9,
  },
  {
    name: 'wherry_container_cpu_system_seconds_total',
    help: 'Processor time that the kernel spent for the container',
    type: 'counter',
    value: ({ cpu }) => cpu.systemNanos / 1e9,
  },
  {
    name: 'wherry_container_cpu_throttled_seconds_total',
    help: 'Time for which the container was held back by its processor limit',
    type: 'counter',
    value: ({ cpu }) => cpu.throttledNanos / 1e9,
  },
  {
    name: 'wherry_container_memory_usage_bytes',
    help: 'Memory of the container, file cache included',
    type: 'gauge',
    value: ({ memory }) => memory.usage,
  },
  {
    name: 'wherry_container_memory_working_set_bytes',
    help: 'Memory of the container without file cache that is not in use: what `wherry stats` shows',
    type: 'gauge',
    value: ({ memory }) => memory.workingSet,
  },
  {
    name: 'wherry_container_memory_limit_bytes',
    help: 'Memory limit of the container, where it has one',
    type: 'gauge',
    value: ({ memory }) => memory.limit,
  },
  {
    name: 'wherry_container_pids',
    help: 'Processes and threads of the container',
    type: 'gauge',
    value: ({ pids }) => pids.current,
  },
  {
    name: 'wherry_container_pids_limit',
    help: 'Limit of processes and threads of the container, where it has one',
    type: 'gauge',
    value: ({ pids }) => pids.limit,
  },
  {
    name: 'wherry_container_blkio_read_bytes_total',
    help: 'Bytes that the container read from block devices',
    type: 'counter',
    value: ({ blocks }) => blocks.readBytes,
  },
  {
    name: 'wherry_container_blkio_written_bytes_total',
    help: 'Bytes that the container wrote to block devices',
    type: 'counter',
    value: ({ blocks }) => blocks.writtenBytes,
  },
];

const networkColumns = [
  ['receive_bytes', 'Bytes that the container received', 'rx_bytes'],
  ['receive_packets', 'Packets that the container received', 'rx_packets'],
  ['receive_errors', 'Receive errors of the container', 'rx_errors'],
  ['receive_dropped', 'Packets to the container that were dropped', 'rx_dropped'],
  ['transmit_bytes', 'Bytes that the container sent', 'tx_bytes'],
  ['transmit_packets', 'Packets that the container sent', 'tx_packets'],
  ['transmit_errors', 'Send errors of the container', 'tx_errors'],
  ['transmit_dropped', 'Packets of the container that were dropped', 'tx_dropped'],
] as const;

export function containerMetrics(usages: readonly ContainerUsage[]): MetricFamily[] {
  const labelled = usages.map((usage) => ({ ...usage, own: labelsOf(usage) }));
  const running = labelled.filter((usage): usage is Running & { own: Labels } => usage.running !== undefined);
  return [
    counter(
      'wherry_container_restarts_total',
      'How often the restart policy has started the container again',
      labelled.map(({ own, restarts }) => ({ labels: own, value: restarts })),
    ),
    ...columns.map(({ name, help, type, value }) => {
      const samples = running.flatMap(({ own, running: used }): Sample[] => {
        const number = value(used);
        return number === undefined ? [] : [{ labels: own, value: number }];
      });
      return type === 'counter' ? counter(name, help, samples) : gauge(name, help, samples);
    }),
    ...networkColumns.map(([name, help, key]) =>
      counter(
        `wherry_container_network_${name}_total`,
        help,
        running.flatMap(({ own, running: { networks } }) =>
          Object.entries(networks).map(([device, counts]) => ({
            labels: { ...own, interface: device },
            value: counts[key],
          })),
        ),
      ),
    ),
  ];
}

/** Names are unique, so that no id is needed: a series goes on when a container is made anew under its name. */
function labelsOf({ name, image, labels }: ContainerUsage): Labels {
  return {
    name,
    image,
    compose_project: labels['com.docker.compose.project'] ?? '',
    compose_service: labels['com.docker.compose.service'] ?? '',
  };
}
