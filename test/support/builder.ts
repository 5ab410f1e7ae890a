/** A builder on a root of its own, as a daemon has it, with busybox in its store. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBusyboxStore } from './base-image.ts';
import { noLimits, openSteps, type Steps, unusable } from './steps.ts';
import type { BuildEvent, BuildOutput, BuildRequest, BuildResult, LocalSource } from '../../src/api/index.ts';
import { runStep } from '../../src/container/index.ts';
import { type Content, openContent } from '../../src/content/index.ts';
import type { ImageStore } from '../../src/image/index.ts';
import { readTar } from '../../src/oci/index.ts';
import { openSnapshots, type Snapshots } from '../../src/snapshot/index.ts';
import { collectBytes, Fault, nowNanos, silentLogger } from '../../src/std/index.ts';
import { Builder, LayerForms, openCacheTransfer, openExporter } from '../../src/build/index.ts';
import { SourcesFixture } from '../../src/build/fetch/fixture.ts';

const runtime = unusable('runc') === false ? 'runc' : 'crun';
const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
/** Why these tests cannot run here; false when they can. */
export const noBuilds =
  process.getuid?.() !== 0
    ? 'needs root (namespaces, overlayfs)'
    : busybox === undefined
      ? 'needs a static busybox (package busybox-static)'
      : unusable(runtime);

export class BuilderFixture implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-builder-'));
  readonly files = join(this.root, 'context');
  content!: Content;
  snapshots!: Snapshots;
  images!: ImageStore;
  steps!: Steps;
  sources!: SourcesFixture;
  builder!: Builder;
  readonly credentials = new Map<string, { username: string; password: string }>();

  static async open(): Promise<BuilderFixture> {
    const fixture = new BuilderFixture();
    const { root } = fixture;
    mkdirSync(fixture.files);
    fixture.content = await openContent({ root: join(root, 'content') });
    fixture.snapshots = await openSnapshots({ root: join(root, 'snapshots') });
    const { content, snapshots } = fixture;
    fixture.images = await openBusyboxStore(root, { content, snapshots });
    fixture.steps = await openSteps(root, runtime);
    fixture.sources = await SourcesFixture.open();
    const forms = new LayerForms();
    fixture.builder = await Builder.open({
      root: join(root, 'build'),
      content,
      snapshots,
      images: fixture.images,
      runStep: (request, signal) => runStep(fixture.steps.context, request, signal),
      sources: fixture.sources.sources,
      exporter: openExporter({
        folder: join(root, 'exports'),
        content,
        snapshots,
        images: fixture.images,
        forms,
        now: nowNanos,
      }),
      caches: openCacheTransfer({
        content,
        snapshots,
        images: fixture.images,
        registry: fixture.sources.registry,
        forms,
        now: nowNanos,
      }),
      gc: [],
      log: silentLogger,
    });
    await fixture.images.collect();
    return fixture;
  }

  async build(
    dockerfile: string,
    outputs: readonly BuildOutput[],
    more: Partial<BuildRequest> = {},
    signal = new AbortController().signal,
  ): Promise<{ result: BuildResult; events: BuildEvent[] }> {
    writeFileSync(join(this.files, 'Dockerfile'), dockerfile);
    const context: LocalSource = {
      fetch: async () => ({ path: this.files, transferred: 0, [Symbol.asyncDispose]: async () => {} }),
    };
    const run = this.builder.run(
      {
        id: 'build',
        context,
        dockerfile: { path: 'Dockerfile', source: undefined },
        namedContexts: new Map(),
        target: undefined,
        buildArgs: new Map(),
        labels: new Map(),
        annotations: new Map(),
        platform: undefined,
        noCache: false,
        pull: false,
        cacheFrom: [],
        cacheTo: [],
        network: 'none',
        extraHosts: [],
        limits: noLimits,
        allowInsecure: false,
        secrets: {
          secret: async () => undefined,
          agent: () => Promise.reject(new Fault('not-found', 'no agent')),
          credentials: async (host) => this.credentials.get(host),
        },
        outputs,
        call: 'build',
        ...more,
      },
      signal,
    );
    // Awaited below, when its progress is told.
    run.result.catch(() => {});
    const events: BuildEvent[] = [];
    for await (const event of run.events) events.push(event);
    return { result: await run.result, events };
  }

  /** A file of what that Dockerfile makes. */
  async fileOf(dockerfile: string, path: string): Promise<string> {
    const archive: BuildOutput & { bytes: Buffer } = {
      type: 'tar',
      names: [],
      push: false,
      attributes: {},
      bytes: Buffer.alloc(0),
      write: async (bytes) => {
        archive.bytes = await collectBytes(bytes, 1 << 28);
      },
    };
    await this.build(dockerfile, [archive]);
    for await (const entry of readTar(once(archive.bytes))) {
      if (`/${entry.name.toString()}` === path) return (await collectBytes(entry.body(), 1 << 20)).toString();
    }
    throw new Error(`no ${path} in it`);
  }

  /** Those of cache mounts. */
  cacheFolders(): { id: string; path: string }[] {
    const folder = join(this.root, 'build/cache-mounts');
    return readdirSync(join(folder, 'records')).map((name) => {
      const { id } = JSON.parse(readFileSync(join(folder, 'records', name), 'utf8')) as { id: string };
      return { id, path: join(folder, name.slice(0, -'.json'.length)) };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.builder[Symbol.asyncDispose]();
    await this.images[Symbol.asyncDispose]();
    await this.sources[Symbol.asyncDispose]();
    await this.steps.close();
    assert.deepEqual(readdirSync(join(this.root, 'exports')), []);
    const left = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(this.root) && !line.includes('/netns/'));
    assert.deepEqual(left, []);
    rmSync(this.root, { recursive: true });
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
