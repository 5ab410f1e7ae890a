/** What we wish Node had: faults, order, files that land whole, processes, time, units. Knows nothing of containers. */
export { Background } from './background.ts';
export { asBuffer, collectBytes, tapBytes } from './bytes.ts';
export { Channel } from './channel.ts';
export { diskFull, explainDiskError, isDiskFull } from './disk-fault.ts';
export { errorCode, Fault, type FaultKind, faultKind, messageOf } from './fault.ts';
export {
  datasync,
  ensureDirectory,
  readFileIfExists,
  removeAll,
  sweepHalfWritten,
  syncDirectory,
  writeFileAtomic,
} from './files.ts';
export { gather } from './gather.ts';
export { Gathered } from './gathered.ts';
export { randomId, shortId } from './identity.ts';
export { KeyedMutex } from './keyed-mutex.ts';
export { createLogger, isJournal, type Logger, type LogLevel, silentLogger, withPriority } from './log.ts';
export {
  counter,
  CounterVector,
  gauge,
  HistogramVector,
  type Labels,
  metricContentType,
  type MetricFamily,
  metricText,
  type Sample,
} from './metrics.ts';
export { parallelGzip } from './parallel-gzip.ts';
export { mustRun, type ProgramOptions, type ProgramResult, runProgram } from './process.ts';
export { type RecordFault, Records } from './records.ts';
export { Shared } from './shared.ts';
export { freeSpace, type FreeSpace, SpaceGuard } from './space-guard.ts';
export { formatNanos, formatNanosPadded, type Nanos, nowNanos, parseApiTime, parseRfc3339, zeroTime } from './time.ts';
export { bytesSize, formatGoDuration, humanDuration, humanSize, parseBytes, parseGoDuration } from './units.ts';
export { Slots } from './slots.ts';
export { rootlessVariable, userFolders, type UserFolders } from './user-folders.ts';
