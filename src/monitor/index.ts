/** What holds a process's stdio, log and exit code, and outlives the daemon: conmon. */
export { attachMonitor, type StdioStream } from './attach.ts';
export { type Monitor, type MonitorOptions, runtimeWords, startMonitor, type StartingMonitor } from './conmon.ts';
export { reopenLog, resizeTerminal } from './control.ts';
export { OneByOne } from './one-by-one.ts';
