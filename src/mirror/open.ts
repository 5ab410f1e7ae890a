/** The pull-through cache: everything of this room put together. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultDomain } from '../oci/index.ts';
import { Background, ensureDirectory, Fault, messageOf } from '../std/index.ts';
import { Admission } from './admission.ts';
import { Blobs } from './blobs.ts';
import { Catalog } from './catalog.ts';
import { UpstreamCredentials } from './credentials.ts';
import type { Mirror, MirrorOptions } from './door.ts';
import { createHandler, makeVia } from './handler.ts';
import { Keeper } from './keeper.ts';
import { Listener, mayListenLater } from './listener.ts';
import { Manifests } from './manifests.ts';
import { notices, warningMark } from './notices.ts';
import { throughCache } from './own-pulls.ts';
import { Transfers } from './transfers.ts';
import { Upstream } from './upstream.ts';

const againMs = 5_000;

/** Registers as an owner of blobs; serves nobody before `start`. @throws Fault for a certificate or credentials that cannot be used */
export async function openMirror(options: MirrorOptions): Promise<Mirror> {
  const { settings, root, content, log, now = Date.now, hurryMs = 5_000 } = options;
  await using loans = new AsyncDisposableStack();
  await ensureDirectory(root, 0o700);
  const { tls: files, upstreams: names, maxBytes, maxAgeMs, host, port } = settings;
  const tls =
    files === undefined ? undefined : { certificate: await pem(files.certificate), key: await pem(files.key) };
  const credentials = new UpstreamCredentials(settings.credentials);
  // A file that cannot be used is told now.
  await credentials.for(defaultDomain);
  const via = makeVia();
  const registry = options.openRegistry({ via });
  loans.defer(() => registry.close());
  const upstreams = new Set(names);
  const upstream = new Upstream({ registry, credentials: (domain) => credentials.for(domain), now });
  const catalog = await Catalog.open({ root, content, log, now });
  let keeper: Keeper | undefined;
  const onEnd = (): void => keeper?.trimSoon();
  const onFull = (bytes: number): void => keeper?.releaseSoon(bytes);
  const transfers = new Transfers({ root, content, catalog, upstream, log, now, onEnd, onFull });
  keeper = new Keeper({ catalog, transfers, bounds: { maxBytes, maxAgeMs }, log });
  loans.use(keeper);
  loans.use(transfers);
  const manifests = loans.use(new Manifests({ content, catalog, upstream, log, now, hurryMs }));
  const blobs = new Blobs({ content, catalog, upstream, transfers, maxBytes });
  const handle = createHandler({ upstreams, manifests, blobs, catalog, upstream, via, log });
  const admission = new Admission(settings.clients);

  let listener: Listener | undefined;
  const retries = new Background((error) =>
    log.error('the pull-through cache cannot listen', { error: messageOf(error) }),
  );
  let again: NodeJS.Timeout | undefined;
  let closed = false;
  loans.defer(async () => {
    closed = true;
    clearTimeout(again);
    await retries.settled();
    await listener?.[Symbol.asyncDispose]();
  });
  const url = (): string | undefined => {
    if (listener === undefined) return undefined;
    const name = host.includes(':') ? `[${host}]` : host;
    return `${tls === undefined ? 'http' : 'https'}://${name}:${listener.port}`;
  };
  const start = async (): Promise<void> => {
    try {
      const opened = await Listener.open({ host, port, tls, admission, handle, log });
      if (closed) await opened[Symbol.asyncDispose]();
      else listener = opened;
    } catch (error) {
      if (!mayListenLater(error)) throw error;
      log.error('the pull-through cache cannot listen yet', { error: messageOf(error) });
      if (!closed) again = setTimeout(() => retries.run(start()), againMs).unref();
      return;
    }
    log.info('the pull-through cache listens', { url: url(), registries: names.join(', ') });
    for (const line of notices(settings, url()))
      if (line.startsWith(warningMark)) log.warn(line.slice(warningMark.length));
  };
  const kept = loans.move();
  return {
    start,
    get url() {
      return url();
    },
    notices: () => notices(settings, url()),
    usage: () => {
      const { running, left } = transfers.parts();
      const parts = [...running, ...left].map(({ name, size }) => ({ path: join(transfers.folder, name), size }));
      return {
        blobs: [...catalog.kept()].map(({ digest, size, usedAt }) => ({ digest, size, usedAt })),
        parts,
        maxBytes,
      };
    },
    release: (bytes) => keeper.release(bytes),
    throughCache: (own) => throughCache(own, { upstreams, manifests, transfers, log }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Without a cache, what one kept before is given back: its records go, and the next collection takes its blobs. */
export async function forgetMirror(root: string): Promise<void> {
  await rm(root, { recursive: true, force: true });
}

async function pem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const detail = `Cannot read the certificate of the pull-through cache: ${messageOf(error)}`;
    throw new Fault('invalid', detail, { cause: error });
  }
}
