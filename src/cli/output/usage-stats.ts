/** The columns in which `stats` shows a container's figures. */
import type { Figures } from '../../client/index.ts';
import { bytesSize, humanSize } from '../../std/index.ts';

const percent = (value: number): string => `${value.toFixed(2)}%`;

/** The columns of a container; dashes while nothing is known. */
export function statsRow(id: string, name: string, figures: Figures | undefined): Record<string, string> {
  const none = figures === undefined;
  return {
    Container: name === '' ? id : name,
    Name: name === '' ? '--' : name,
    ID: id,
    CPUPerc: none ? '--' : percent(figures.cpu),
    MemUsage: none ? '-- / --' : `${bytesSize(figures.memory)} / ${bytesSize(figures.limit)}`,
    MemPerc: none ? '--' : percent(figures.memoryShare),
    NetIO: none ? '--' : `${humanSize(figures.received, 3)} / ${humanSize(figures.sent, 3)}`,
    BlockIO: none ? '--' : `${humanSize(figures.read, 3)} / ${humanSize(figures.written, 3)}`,
    PIDs: none ? '--' : String(figures.pids),
  };
}
