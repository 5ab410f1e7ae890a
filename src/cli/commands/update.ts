/** `wherry update`. */
import { atLeast, type Command } from '../command.ts';
import { explain } from '../explain.ts';
import { Fault } from '../../std/index.ts';
import { nanoCpus, restartPolicyOf } from '../run/body.ts';

export const command: Command = {
  use: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: `
      --blkio-weight uint16        Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)
      --cpu-period int             Limit CPU CFS (Completely Fair Scheduler) period
      --cpu-quota int              Limit CPU CFS (Completely Fair Scheduler) quota
      --cpu-rt-period int          Limit the CPU real-time period in microseconds
      --cpu-rt-runtime int         Limit the CPU real-time runtime in microseconds
  -c, --cpu-shares int             CPU shares (relative weight)
      --cpus decimal               Number of CPUs
      --cpuset-cpus string         CPUs in which to allow execution (0-3, 0,1)
      --cpuset-mems string         MEMs in which to allow execution (0-3, 0,1)
  -m, --memory bytes               Memory limit
      --memory-reservation bytes   Memory soft limit
      --memory-swap bytes          Swap limit equal to memory plus swap: -1 to enable unlimited swap
      --pids-limit int             Tune container pids limit (set -1 for unlimited)
      --restart string             Restart policy to apply when a container exits
`,
  arity: atLeast(1),
  completes: ['container'],
  examples: `
# Less memory, while it runs
wherry update -m 256m --memory-swap 256m web
# Start it with the machine from now on
wherry update --restart unless-stopped web`,
  hidden: `
      --kernel-memory bytes   !kernel memory limits are gone from Linux
`,
  async run(session, { flags, args }) {
    const names = [
      'blkio-weight',
      'cpu-period',
      'cpu-quota',
      'cpu-rt-period',
      'cpu-rt-runtime',
      'cpu-shares',
      'cpus',
      'cpuset-cpus',
      'cpuset-mems',
      'memory',
      'memory-reservation',
      'memory-swap',
      'pids-limit',
      'restart',
    ];
    if (!names.some((name) => flags.changed(name))) {
      throw new Fault('invalid', 'you must provide one or more flags when using this command');
    }
    const client = await session.client();
    const body = {
      BlkioWeight: flags.integer('blkio-weight'),
      CpusetCpus: flags.string('cpuset-cpus'),
      CpusetMems: flags.string('cpuset-mems'),
      CpuShares: flags.integer('cpu-shares'),
      Memory: flags.bytes('memory'),
      MemoryReservation: flags.bytes('memory-reservation'),
      MemorySwap: flags.bytes('memory-swap'),
      CpuPeriod: flags.integer('cpu-period'),
      CpuQuota: flags.integer('cpu-quota'),
      CpuRealtimePeriod: flags.integer('cpu-rt-period'),
      CpuRealtimeRuntime: flags.integer('cpu-rt-runtime'),
      NanoCpus: nanoCpus(flags),
      ...(flags.changed('pids-limit') ? { PidsLimit: flags.integer('pids-limit') } : {}),
      RestartPolicy: restartPolicyOf(flags.string('restart')),
    };
    let code = 0;
    const warnings: string[] = [];
    for (const name of args) {
      try {
        const { Warnings } = await client.containers.update(name, body);
        session.out.write(`${name}\n`);
        warnings.push(...(Warnings ?? []));
      } catch (error) {
        session.err.write(`${explain(error)}\n`);
        code = 1;
      }
    }
    if (warnings.length > 0) session.out.write(`${warnings.join('\n')}\n`);
    return code;
  },
};
