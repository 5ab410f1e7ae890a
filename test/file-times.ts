/** A reporter for Node's test runner: how long each file took, the longest first; so that the long ones can begin first. */
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

export default async function* fileTimes(events: AsyncIterable<TestEvent>): AsyncGenerator<string, void> {
  const times: [file: string, ms: number][] = [];
  for await (const event of events) {
    if (event.type !== 'test:summary' || event.data.file === undefined) continue;
    times.push([event.data.file, event.data.duration_ms]);
  }
  for (const [file, ms] of times.sort((a, b) => b[1] - a[1]))
    yield `${(ms / 1000).toFixed(1).padStart(7)} s  ${relative(process.cwd(), file)}\n`;
}
