/** The daemon's own process, under the names that Prometheus' clients give these numbers. */
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { counter, gauge, type MetricFamily } from '../../std/index.ts';

/** Ticks a second in /proc: 100 for every program, whatever the kernel counts with. */
const ticks = 100;

export async function processMetrics(): Promise<MetricFamily[]> {
  const asked = performance.now();
  await nextTurn();
  const lag = (performance.now() - asked) / 1000;
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  // Behind the name, which may have spaces in it.
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  const boot = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? 0);
  const most = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return [
    counter('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', (user + system) / 1e6),
    gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', rss),
    gauge('process_virtual_memory_bytes', 'Virtual memory size in bytes.', Number(fields[20] ?? 0)),
    gauge('process_open_fds', 'Number of open file descriptors.', readdirSync('/proc/self/fd').length),
    gauge(
      'process_max_fds',
      'Maximum number of open file descriptors.',
      most === undefined || most === 'unlimited' ? Number.POSITIVE_INFINITY : Number(most),
    ),
    gauge(
      'process_start_time_seconds',
      'Start time of the process since unix epoch in seconds.',
      boot + Number(fields[19] ?? 0) / ticks,
    ),
    gauge('nodejs_eventloop_lag_seconds', 'Lag of event loop in seconds.', lag),
    gauge('nodejs_heap_size_used_bytes', 'Process heap size used from Node.js in bytes.', heapUsed),
    gauge('nodejs_heap_size_total_bytes', 'Process heap size from Node.js in bytes.', heapTotal),
    gauge('nodejs_external_memory_bytes', 'Node.js external memory size in bytes.', external),
    gauge('nodejs_version_info', 'Node.js version info.', [{ labels: { version: process.version }, value: 1 }]),
  ];
}
