/** Output as it comes to lines, of each stream on its own. */
import type { Frame } from '../client/index.ts';

export interface LogLine {
  stream: 'stdout' | 'stderr';
  /** Without the newline. */
  text: string;
  /** The same as it came. */
  bytes: Uint8Array;
}

/** A longer line comes in pieces. */
const longestLine = 1 << 20;

export async function* logLines(frames: AsyncIterable<Frame>): AsyncGenerator<LogLine, void> {
  const held = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  for await (const { stream, data } of frames) {
    let rest = Buffer.concat([held[stream], data]);
    for (let end = rest.indexOf(10); end >= 0 || rest.length > longestLine; end = rest.indexOf(10)) {
      const isWhole = end >= 0 && end <= longestLine;
      yield line(stream, rest.subarray(0, isWhole ? end : longestLine));
      rest = rest.subarray(isWhole ? end + 1 : longestLine);
    }
    held[stream] = rest;
  }
  for (const stream of ['stdout', 'stderr'] as const) if (held[stream].length > 0) yield line(stream, held[stream]);
}

function line(stream: LogLine['stream'], bytes: Buffer): LogLine {
  // A terminal ends its lines with both.
  const bare = bytes.at(-1) === 13 ? bytes.subarray(0, -1) : bytes;
  return { stream, text: bare.toString('utf8'), bytes: bare };
}
