/** A builder for warm-cli.ts: takes the context and tells of two steps. */
import type { BuildEvent, BuildRequest, BuildResult, Builds } from '../src/api/index.ts';

export function warmBuilds(id: string): Builds {
  return {
    run(request, signal) {
      const result = take(request, signal);
      return { events: events(result), result };
    },
    release: () => {},
    failed: async () => [],
    debugImage: () => Promise.reject(new Error('nothing failed')),
    cache: async () => [],
    prune: async () => ({ deleted: [], reclaimed: 0 }),
  };

  async function take({ context, dockerfile }: BuildRequest, signal: AbortSignal): Promise<BuildResult> {
    if ('path' in dockerfile && dockerfile.source !== undefined) {
      await using _ = await dockerfile.source.fetch({ followPaths: [dockerfile.path], excludes: [] }, signal);
    }
    if (context !== undefined && 'fetch' in context) {
      await using _ = await context.fetch({ followPaths: [], excludes: ['*.md', '**/node_modules'] }, signal);
      await using __ = await context.fetch({ followPaths: [], excludes: [] }, signal);
    }
    return { image: `sha256:${id}`, manifest: undefined, unusedArgs: [], answer: undefined };
  }

  async function* events(result: Promise<unknown>): AsyncGenerator<BuildEvent, void, void> {
    const vertex = { kind: 'vertex', name: '[1/1] RUN true', inputs: [], error: undefined, source: undefined } as const;
    const at = new Date().toISOString();
    for (const digest of [id, id.replaceAll('a', 'b')]) {
      yield { ...vertex, digest, cached: false, started: at, completed: undefined };
      yield { kind: 'log', vertex: digest, stream: 'stdout', data: Buffer.from('x\n'), timestamp: at };
      const status = { id: 'transferring context:', name: '', current: 1, total: 0, timestamp: at, started: at };
      yield { kind: 'status', vertex: digest, ...status, completed: at };
      yield { ...vertex, digest, cached: false, started: at, completed: at };
    }
    await result;
  }
}
