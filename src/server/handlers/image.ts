/** Images: local ones, and their ways to and from registries and tar files. */
import type { ImageDifference, ProgressMessage } from '../../api/index.ts';
import { Fault, messageOf } from '../../std/index.ts';
import { decodePlatform } from '../body/platform.ts';
import { parseRegistryAuth } from '../body/registry-auth.ts';
import type { Call } from '../call.ts';
import { applyDeltas, imageDeltas, imageSummaryDeltas } from '../deltas.ts';
import { goJson } from '../go-json.ts';
import { empty, file, json, type Reply, stream } from '../http/reply.ts';
import { ClientGone } from '../http/input.ts';

/** How many bytes of archive will come, for whoever shows progress. */
const sizeHeader = 'X-Wherry-Archive-Size';
const listFilters = ['before', 'dangling', 'label', 'label!', 'reference', 'since', 'until'];

export async function list(call: Call): Promise<Reply> {
  const summaries = await call.engine.images.list({
    all: call.query.boolean('all'),
    filters: call.query.filters(listFilters),
    sharedSize: call.version >= 42 && call.query.boolean('shared-size'),
    manifests: call.version >= 47 && call.query.boolean('manifests'),
  });
  return json(summaries.map((summary) => applyDeltas(imageSummaryDeltas, call.version, summary)));
}

export async function inspect(call: Call): Promise<Reply> {
  const image = await call.engine.images.inspect(call.name, { platform: platformOf(call, 49) });
  // docker-compose 1.29 asks for the newest version and cannot recreate a container without fields that ended at 1.45.
  const version = call.header('user-agent')?.startsWith('docker-compose/1.')
    ? Math.min(call.version, 44)
    : call.version;
  return json(applyDeltas(imageDeltas, version, image));
}

export async function history(call: Call): Promise<Reply> {
  return json(await call.engine.images.history(call.name, { platform: platformOf(call, 48) }));
}

export async function layers(call: Call): Promise<Reply> {
  return json(await call.engine.images.layers(call.name, { platform: platformOf(call, 0) }));
}

export async function diff(call: Call): Promise<Reply> {
  const from = call.query.text('from');
  const to = call.query.text('to');
  if (from === undefined || to === undefined) {
    throw new Fault('invalid', 'Cannot compare images: want query parameters "from" and "to"');
  }
  return progress(await call.engine.images.diff(from, to, { platform: platformOf(call, 0) }, call.signal));
}

export async function baseImages(call: Call): Promise<Reply> {
  return json(await call.engine.baseImages.list());
}

export async function makeBaseImages(call: Call): Promise<Reply> {
  const names = call.query.all('name');
  if (names.length === 0) throw new Fault('invalid', 'Cannot make base images: want query parameter "name"');
  return progress(await call.engine.baseImages.make(names, { refresh: call.query.boolean('refresh') }, call.signal));
}

/** Pull with `fromImage`, import with `fromSrc`. */
export async function create(call: Call): Promise<Reply> {
  const { query } = call;
  const image = query.text('fromImage');
  const tag = query.text('tag');
  const platform = platformOf(call, 32);
  if (image !== undefined) {
    const auth = parseRegistryAuth(call.header('x-registry-auth'));
    const bootstrap = query.text('bootstrap') === undefined ? undefined : query.boolean('bootstrap');
    return progress(await call.engine.images.pull({ image, tag, platform, auth, bootstrap }, call.signal));
  }
  const source = query.text('fromSrc');
  if (source === undefined) throw new Fault('invalid', 'Cannot create an image: want fromImage or fromSrc');
  return progress(
    await call.engine.images.import(
      {
        source,
        body: call.body,
        repo: query.text('repo'),
        tag,
        message: query.text('message') ?? '',
        changes: query.all('changes'),
        platform,
      },
      call.signal,
    ),
  );
}

export async function push(call: Call): Promise<Reply> {
  const auth = parseRegistryAuth(call.header('x-registry-auth'));
  const options = { image: call.name, tag: call.query.text('tag'), platform: platformOf(call, 46), auth };
  return progress(await call.engine.images.push(options, call.signal));
}

export async function load(call: Call): Promise<Reply> {
  const options = { quiet: call.query.boolean('quiet', true), platform: platformOf(call, 48) };
  return progress(await call.engine.images.load(call.body, options, call.signal));
}

export async function save(call: Call): Promise<Reply> {
  return saved(call, [call.name]);
}

export async function saveMany(call: Call): Promise<Reply> {
  const names = call.query.all('names').filter((name) => name !== '');
  if (names.length === 0) throw new Fault('invalid', 'Cannot save: query parameter "names" is missing');
  return saved(call, names);
}

async function saved(call: Call, names: string[]): Promise<Reply> {
  const since = call.query.all('since').filter((name) => name !== '');
  const { size, tar } = await call.engine.images.save(names, { platform: platformOf(call, 48), since }, call.signal);
  return file('application/x-tar', tar, { [sizeHeader]: String(size) });
}

export async function tag(call: Call): Promise<Reply> {
  const repo = call.query.text('repo');
  if (repo === undefined) throw new Fault('invalid', 'Cannot tag: query parameter "repo" is missing');
  await call.engine.images.tag(call.name, { repo, tag: call.query.text('tag') });
  return empty(201);
}

export async function remove(call: Call): Promise<Reply> {
  const platforms = call.version < 50 ? [] : call.query.all('platforms').map(decodePlatform);
  const options = { force: call.query.boolean('force'), noPrune: call.query.boolean('noprune'), platforms };
  return json(await call.engine.images.remove(call.name, options));
}

export async function prune(call: Call): Promise<Reply> {
  const filters = call.query.filters(['dangling', 'label', 'label!', 'until']);
  const { deleted, reclaimed } = await call.engine.images.prune(filters);
  return json({ ImagesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed });
}

export async function search(call: Call): Promise<Reply> {
  const term = call.query.text('term');
  if (term === undefined) throw new Fault('invalid', 'Cannot search: query parameter "term" is missing');
  const limit = call.query.integer('limit') ?? 25;
  if (limit < 1 || limit > 100) {
    throw new Fault('invalid', `limit ${limit} is outside the range of [1, 100]`);
  }
  const filters = call.query.filters(['is-automated', 'is-official', 'stars']);
  return json(await call.engine.images.search({ term, limit, filters }));
}

export async function distribution(call: Call): Promise<Reply> {
  const auth = parseRegistryAuth(call.header('x-registry-auth'));
  return json(await call.engine.images.distribution(call.name, auth, call.signal));
}

/** The one platform asked for. @throws Fault invalid, also for several */
function platformOf(call: Call, since: number): string | undefined {
  if (call.version < since) return undefined;
  const platforms = call.query.all('platform').filter((text) => text !== '');
  if (platforms.length > 1) throw new Fault('invalid', 'multiple platform parameters not supported');
  return platforms[0] === undefined ? undefined : decodePlatform(platforms[0]);
}

function progress(messages: AsyncIterable<ProgressMessage | ImageDifference>): Reply {
  return stream({ 'Content-Type': 'application/json' }, progressLines(messages));
}

/** The head is out with status 200, so a failure is the last line. */
async function* progressLines(messages: AsyncIterable<ProgressMessage | ImageDifference>): AsyncGenerator<string> {
  try {
    for await (const message of messages) yield `${goJson(message)}\r\n`;
  } catch (error) {
    if (error instanceof ClientGone) throw error;
    const message = messageOf(error);
    yield `${goJson({ errorDetail: { message }, error: message })}\r\n`;
  }
}
