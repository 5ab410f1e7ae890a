/** Building: the classic builder's door, BuildKit's, the cache, and a look at what failed. */
import { type BuildRequest, type Filters, keptBytes, type PruneSpace, type RegistryAuth } from '../../api/index.ts';
import { duplexOf, h2cHead } from '../../buildkit/index.ts';
import { explainDiskError, Fault, messageOf, randomId } from '../../std/index.ts';
import { parseRegistryConfig } from '../body/registry-auth.ts';
import { classicMessages, classicSecrets } from '../build/classic.ts';
import type { BuildDoors, RunningBuilds } from '../build/doors.ts';
import { classicBuild } from '../build/parameters.ts';
import { ClassicRenderer } from '../build/renderer.ts';
import type { Call } from '../call.ts';
import { goJson } from '../go-json.ts';
import { ClientGone } from '../http/input.ts';
import type { RawStream } from '../http/raw-stream.ts';
import { empty, json, type Reply, stream } from '../http/reply.ts';

/** Version 2 is a build over a session; what it is not is the classic builder's. */
export async function build(call: Call): Promise<Reply> {
  const { buildkit, posted, running } = doorsOf(call);
  if (call.query.text('version') === '2') {
    const entered = running.enter(call.query.text('buildid'));
    const signal = AbortSignal.any([call.signal, entered.signal]);
    return lines(buildkit.build(call.query.parameters, signal), () => entered[Symbol.dispose]());
  }
  const asked = classicBuild(call.query, call.version);
  const entered = running.enter(asked.id);
  const gone = new AbortController();
  const signal = AbortSignal.any([call.signal, entered.signal, gone.signal]);
  const context = asked.remote === undefined ? posted(call.body, signal) : undefined;
  const request: BuildRequest = {
    ...asked.request,
    id: asked.id ?? randomId(),
    context: context ?? { url: asked.remote! },
    dockerfile: { path: asked.dockerfile, source: context },
    secrets: classicSecrets(credentials(call)),
  };
  const run = call.engine.builds.run(request, signal);
  // Whoever follows it and however that ends: the context is there as long as the build.
  const over = run.result
    .catch(() => {})
    .finally(() => {
      entered[Symbol.dispose]();
      return context?.[Symbol.asyncDispose]();
    });
  const { labels } = asked.request;
  const renderer = new ClassicRenderer({ removes: asked.removes, tags: asked.tags, labels, aux: call.version >= 30 });
  return lines(classicMessages({ run, renderer, quiet: asked.quiet }, signal), async () => {
    gone.abort(new ClientGone());
    await over;
  });
}

function doorsOf(call: Call): BuildDoors & { running: RunningBuilds } {
  if (call.building === undefined) throw new Fault('forbidden', 'Cannot build images: this socket has no builder');
  return call.building;
}

/** As in Docker, credentials that cannot be read are none. */
function credentials(call: Call): Record<string, RegistryAuth> {
  try {
    return parseRegistryConfig(call.header('x-registry-config'));
  } catch {
    return {};
  }
}

/** An answer of which nothing is sent before its first message is there: what fails until then has a status. */
async function lines(messages: AsyncIterable<object>, end: () => Promise<void> | void): Promise<Reply> {
  const iterator = messages[Symbol.asyncIterator]();
  let first: IteratorResult<object, unknown>;
  try {
    first = await iterator.next();
  } catch (error) {
    await end();
    throw error;
  }
  return stream({ 'Content-Type': 'application/json' }, text());

  async function* text(): AsyncGenerator<string, void, void> {
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) yield `${goJson(next.value)}\r\n`;
    } catch (error) {
      if (error instanceof ClientGone) throw error;
      const message = messageOf(explainDiskError(error));
      yield `${goJson({ errorDetail: { message }, error: message })}\r\n`;
    } finally {
      await iterator.return?.();
      await end();
    }
  }
}

/** Nothing is told of ids that no build has: it may be over. */
export async function cancel(call: Call): Promise<Reply> {
  const { running } = doorsOf(call);
  const id = call.query.text('id');
  if (id === undefined) throw new Fault('invalid', 'build ID not provided');
  running.cancel(id, new Fault('unavailable', 'Build cancelled'));
  return empty(200);
}

export async function session(call: Call): Promise<Reply> {
  const { buildkit } = doorsOf(call);
  checkUpgrade(call);
  const serve = buildkit.session((name) => call.header(name));
  return upgrade(call, (raw) => serve(duplexOf(raw)));
}

export async function grpc(call: Call): Promise<Reply> {
  const { buildkit } = doorsOf(call);
  checkUpgrade(call);
  return upgrade(call, (raw) => buildkit.grpc(duplexOf(raw)));
}

/** @throws Fault invalid */
function checkUpgrade(call: Call): void {
  const protocol = call.header('upgrade');
  if (protocol === undefined) throw new Fault('invalid', 'no upgrade proto in request');
  if (protocol !== 'h2c') throw new Fault('invalid', `protocol ${protocol} not supported`);
}

/** The connection becomes HTTP/2, spoken at once. */
function upgrade(call: Call, serve: (raw: RawStream) => Promise<void>): Reply {
  return {
    kind: 'raw',
    head: h2cHead,
    serve: async (raw) => {
      // Sessions last as long as their clients like: they do not keep a server from ending.
      call.signal.addEventListener('abort', () => raw.destroy(), { once: true });
      if (call.signal.aborted) raw.destroy();
      await serve(raw);
    },
  };
}

const pruneFilters = new Set([
  'description',
  'id',
  'inuse',
  'parent',
  'private',
  'shared',
  'type',
  'until',
  'unused-for',
]);

export async function prune(call: Call): Promise<Reply> {
  const { engine, query } = call;
  const { deleted, reclaimed } = await engine.builds.prune({
    all: query.boolean('all'),
    keepBytes: await kept(call),
    filters: prunedFilters(call),
  });
  return json({ CachesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed });
}

/** Bytes that stay. @throws Fault invalid */
async function kept(call: Call): Promise<number | undefined> {
  const { query, version, engine } = call;
  const bytes = (key: string): number => {
    const value = query.text(key) ?? '0';
    if (/^[+-]?\d{1,15}$/.test(value)) return Number(value);
    throw new Fault(
      'invalid',
      `${key} is in bytes and expects an integer, got ${value}: strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  };
  const storage = bytes('keep-storage');
  const space: PruneSpace = {
    reserved: version < 48 ? storage : bytes('reserved-space') || storage,
    maxUsed: version < 48 ? 0 : bytes('max-used-space'),
    minFree: version < 48 ? 0 : bytes('min-free-space'),
  };
  const used = (await engine.builds.cache()).reduce((sum, { size }) => sum + size, 0);
  return keptBytes(space, { used, free: doorsOf(call).freeBytes() });
}

/** `unused-for` is what `until` was called. @throws Fault invalid */
function prunedFilters({ query }: Call): Filters {
  const filters = new Map(query.filters());
  const refuse = (why: string): Fault => new Fault('invalid', `failed to prune build cache: ${why}`);
  for (const key of filters.keys()) if (!pruneFilters.has(key)) throw refuse(`invalid filter '${key}'`);
  const unused = filters.get('unused-for');
  if (unused === undefined) return filters;
  if (filters.has('until')) throw refuse('conflicting filters: "until" and "unused-for"');
  filters.delete('unused-for');
  return filters.set('until', unused);
}

export async function failed(call: Call): Promise<Reply> {
  return json(await call.engine.builds.failed());
}

export async function debugImage(call: Call): Promise<Reply> {
  return json(await call.engine.builds.debugImage(call.query.text('id')), 201);
}
