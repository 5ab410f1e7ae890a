/**
 * The filled database as an image, made once for all processes on a daemon: whoever succeeds in creating the container of that name makes
 * it, the others wait for the image. The name of a container is the lock, because a daemon gives it to one only; a maker that died is swept.
 */
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiFault, type Container, type Engine, Fault, type ImageInspect } from '../sdk/index.ts';
import { passesSignals } from './hold.ts';
import { createInstance } from './instance.ts';
import { type Recipe, recipeKey, templateName } from './recipe.ts';
import { ownerLabel, sweep } from './sweep.ts';

export const templateLabel = 'org.wherry.testing.template';

export interface Template {
  image: string;
  base: ImageInspect;
}

const pollMs = 100;
const sweepMs = 2000;
/** Longer than anyone fills a database for tests. */
const patienceMs = 15 * 60_000;
const keptTemplates = 3;

export async function prepareTemplate(engine: Engine, recipe: Recipe, signal?: AbortSignal): Promise<Template> {
  await sweep(engine);
  const base = await baseImage(engine, recipe, signal);
  const key = recipeKey(recipe, base.Id);
  const image = `${templateName(recipe)}:${key}`;
  const started = Date.now();
  for (let swept = started; ; ) {
    if (await engine.images.has(image)) return { image, base };
    await using maker = await takeLock(engine, recipe, base, `wherry-template-${key}`);
    if (maker !== undefined) {
      // The one before may have ended between the look and the lock.
      if (!(await engine.images.has(image))) await make(engine, recipe, maker, image, signal);
      return { image, base };
    }
    await sleep(pollMs, undefined, signal === undefined ? {} : { signal });
    if (Date.now() - swept > sweepMs) {
      await sweep(engine);
      swept = Date.now();
    }
    if (Date.now() - started > patienceMs)
      throw new Fault(
        'unavailable',
        `Cannot wait longer for another process to make ${image}: see 'docker logs wherry-template-${key}'`,
      );
  }
}

async function baseImage(engine: Engine, { image, auth }: Recipe, signal?: AbortSignal): Promise<ImageInspect> {
  if (!(await engine.images.has(image)))
    await engine.images.pull(image, {
      ...(auth === undefined ? {} : { auth }),
      ...(signal === undefined ? {} : { signal }),
    });
  return engine.images.inspect(image);
}

/** The container to be filled; undefined when another process has it. */
async function takeLock(
  engine: Engine,
  recipe: Recipe,
  base: ImageInspect,
  name: string,
): Promise<Container | undefined> {
  const { image, files = {} } = recipe;
  try {
    return (await createInstance(engine, recipe, base, { image, name, files })).container;
  } catch (error) {
    if (error instanceof ApiFault && error.status === 409) return undefined;
    throw error;
  }
}

async function make(
  engine: Engine,
  recipe: Recipe,
  container: Container,
  image: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await container.start();
  if (recipe.ready !== undefined)
    await container.waitUntil(signal === undefined ? recipe.ready : { ...recipe.ready, signal });
  await recipe.seed?.(container);
  signal?.throwIfAborted();
  if (recipe.hold !== false) await container.waitUntil({ check: isStoppable, intervalMs: 20, timeoutMs: 10_000 });
  await container.stop({ timeoutMs: recipe.stopTimeoutMs ?? 60_000 });
  await keep(engine, container, image, templateName(recipe));
  await forgetOld(engine, templateName(recipe));
}

async function isStoppable(container: Container): Promise<boolean> {
  return passesSignals((await container.exec(['cat', '/proc/1/status'])).stdout);
}

/** The image appears under its name when all is in it. */
async function keep(engine: Engine, container: Container, image: string, name: string): Promise<void> {
  // The container's labels come along: without its owner, for images have none.
  const labels = { [templateLabel]: name, [ownerLabel]: '' };
  const volumes = (await container.inspect()).Mounts.filter(({ Type }) => Type === 'volume').map(
    ({ Destination }) => Destination,
  );
  if (volumes.length === 0) {
    await container.commit(image, { labels });
    return;
  }
  // A commit leaves out what is in volumes. As a layer it is what new volumes are filled with.
  const files = `${image}-files`;
  await container.commit(files, { labels });
  const folder = mkdtempSync(join(tmpdir(), 'wherry-template-'));
  try {
    const lines = [`FROM ${files}`];
    for (const [index, path] of volumes.entries()) {
      await pipeline(container.getTar(path), createWriteStream(join(folder, `${index}.tar`)));
      lines.push(`ADD ["${index}.tar", ${JSON.stringify(`${dirname(path).replace(/\/$/, '')}/`)}]`);
    }
    await engine.images.build(folder, { dockerfile: { text: `${lines.join('\n')}\n` }, tags: [image] });
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await engine.images.remove(files).catch(() => {});
  }
}

/** Recipes change; what they made before would pile up. What is in use stays. */
async function forgetOld(engine: Engine, name: string): Promise<void> {
  const all = await engine.images.list({ filters: { label: [`${templateLabel}=${name}`] } });
  const old = all.sort((a, b) => b.Created - a.Created).slice(keptTemplates);
  for (const { RepoTags } of old) for (const tag of RepoTags) await engine.images.remove(tag).catch(() => {});
}

/** Removes all templates of a name that nobody uses. */
export async function forgetTemplates(engine: Engine, name: string): Promise<void> {
  const all = await engine.images.list({ filters: { label: [`${templateLabel}=${name}`] } });
  for (const { RepoTags } of all) for (const tag of RepoTags) await engine.images.remove(tag).catch(() => {});
}
