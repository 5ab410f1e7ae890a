/** What stages begin with, and what a `--from` names beside stages: images, named contexts, and nothing at all. */
import { type BuildPlatform, didYouMean, formatBuildPlatform, SyntaxProblem } from '../../dockerfile/index.ts';
import { messageOf } from '../../std/index.ts';
import { formatReference, type ImageConfig, parseReference, withDefaultTag } from '../../oci/index.ts';
import { configOf } from './container-config.ts';
import { environmentOf, type PlannedImage } from './image-fold.ts';
import { buildScheme, type NamedContext } from './named-context.ts';
import type { ImageResolver, ResolvedImage, ResolvedPlanOptions } from './options.ts';
import { parseGit, urlFilename } from './remote.ts';
import type { StageNode } from './stage-node.ts';
import type { PlannedRoot } from './stage-planner.ts';
import type { Root } from './step.ts';
import type { StepList } from './step-list.ts';
import type { StepNames } from './step-name.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Names whose misspelling is worth a hint. */
const wellKnown = ['alpine', 'busybox', 'centos', 'debian', 'golang', 'ubuntu', 'fedora'];

export interface BaseImagesOptions {
  readonly options: ResolvedPlanOptions;
  readonly resolveImage: ImageResolver;
  readonly steps: StepList;
}

export class BaseImages {
  readonly #options: ResolvedPlanOptions;
  readonly #resolveImage: ImageResolver;
  readonly #steps: StepList;
  readonly #resolved = new Map<StageNode, ResolvedImage | undefined>();
  /** The same image asked twice is resolved once. */
  readonly #pending = new Map<string, Promise<ResolvedImage>>();

  constructor({ options, resolveImage, steps }: BaseImagesOptions) {
    this.#options = options;
    this.#resolveImage = resolveImage;
    this.#steps = steps;
  }

  isResolved(node: StageNode): boolean {
    return this.#resolved.has(node);
  }

  /** @throws SyntaxProblem at the place that names the image */
  async resolve(node: StageNode, stages: readonly StageNode[], signal: AbortSignal): Promise<void> {
    const name = imageName(node);
    if (name === undefined) {
      this.#resolved.set(node, undefined);
      return;
    }
    const platform = this.#platformOf(node);
    const reference = name.startsWith(buildScheme) ? name : parseImage(name, node);
    const key = `${reference} ${formatBuildPlatform(platform)}`;
    let pending = this.#pending.get(key);
    if (pending === undefined) this.#pending.set(key, (pending = this.#resolveImage(reference, platform, signal)));
    try {
      this.#resolved.set(node, await pending);
    } catch (error) {
      const names = [...stages.map(({ label }) => label), ...wellKnown.flatMap((one) => [one, `${one}:latest`])];
      const message = `${name}: ${messageOf(error)}${didYouMean(name, names)}`;
      throw new SyntaxProblem('image-not-resolved', message, node.place.range);
    }
  }

  triggersOf(node: StageNode): readonly string[] {
    const image = this.#resolved.get(node);
    return image === undefined ? [] : (configOf(image.config).OnBuild ?? []);
  }

  /** A node that is no stage of its own, or whose stage begins here. `names` counts the FROM of a stage. */
  begin(node: StageNode, names: StepNames | undefined): PlannedRoot {
    const context = node.context ?? node.baseContext;
    if (context !== undefined && context.kind !== 'image' && context.kind !== 'build') {
      return { root: this.#contextRoot(context, node), image: this.#emptyImage(this.#options.platform) };
    }
    const resolved = this.#resolved.get(node);
    const platform = this.#platformOf(node);
    if (resolved === undefined) return { root: 'scratch', image: this.#emptyImage(platform) };
    const { rootfs } = resolved.config;
    const hasLayers =
      rootfs.diff_ids.length > 0 || resolved.config.history?.some(({ empty_layer: empty }) => empty !== true) === true;
    const root = hasLayers ? this.#imageRoot(resolved.reference, { node, platform, names }) : 'scratch';
    return { root, image: this.#baseImage(resolved.config, platform) };
  }

  #imageRoot(
    reference: string,
    from: { node: StageNode; platform: BuildPlatform; names: StepNames | undefined },
  ): Root {
    const platform = formatBuildPlatform(from.platform);
    const context = from.node.context ?? from.node.baseContext;
    const shown = `FROM ${reference}`;
    const given = context?.kind === 'build' ? 'another build' : context?.value.replace(/^docker-image:\/\//, '');
    const name = context === undefined ? (from.names?.next(shown) ?? shown) : `[context ${context.name}] ${given}`;
    const range = from.node.place.range;
    const id = `image:${reference} ${platform}`;
    return this.#steps.add({ kind: 'image', id, name, range, ignoreCache: false, reference, platform });
  }

  #contextRoot(context: Exclude<NamedContext, { kind: 'image' | 'build' }>, { place: { range } }: StageNode): Root {
    if (context.kind === 'local') return this.#steps.local(context.name, '/');
    const { url } = context;
    const common = { name: `[context ${context.name}] ${url}`, range, ignoreCache: false };
    const git = parseGit(url, range);
    if (git === undefined) {
      return this.#steps.add({
        ...common,
        kind: 'http',
        id: `http:${url}`,
        url,
        filename: urlFilename(url),
        checksum: undefined,
      });
    }
    const { remote, ref, subdirectory, keepGitDir = false, checksum } = git;
    return this.#steps.add({
      ...common,
      kind: 'git',
      id: `git:${url}`,
      remote,
      ref,
      subdirectory,
      keepGitDir,
      checksum,
    });
  }

  #platformOf({ platform }: StageNode): BuildPlatform {
    return platform ?? this.#options.platform;
  }

  #emptyImage({ os, architecture, variant }: BuildPlatform): PlannedImage {
    const config = { WorkingDir: '/' };
    return withDefaultPath({ os, architecture, variant, author: undefined, config, history: [] });
  }

  #baseImage(config: ImageConfig, platform: BuildPlatform): PlannedImage {
    return withDefaultPath({
      os: config.os === '' ? platform.os : config.os,
      architecture: config.architecture === '' ? platform.architecture : config.architecture,
      variant: config.variant,
      author: config.author,
      config: configOf(config),
      history: (config.history ?? []).map((entry) => ({ entry, step: undefined })),
    });
  }
}

/** The image a node names; `undefined` for a stage's base, nothing, or a context that is no image. */
function imageName({ image, base, context, baseContext }: StageNode): string | undefined {
  const given = context ?? baseContext;
  if (given !== undefined) return given.kind === 'image' || given.kind === 'build' ? given.reference : undefined;
  return base !== undefined || image === 'scratch' ? undefined : image;
}

/** Fully qualified. */
function parseImage(name: string, { place }: StageNode): string {
  try {
    return formatReference(withDefaultTag(parseReference(name)));
  } catch (error) {
    throw new SyntaxProblem(
      'bad-image',
      `failed to parse stage name ${JSON.stringify(name)}: ${messageOf(error)}`,
      place.range,
    );
  }
}

function withDefaultPath(image: PlannedImage): PlannedImage {
  const hasPath = environmentOf(image).some(([key]) => key === 'PATH');
  if (hasPath || image.os === 'windows') return image;
  return { ...image, config: { ...image.config, Env: [...(image.config.Env ?? []), `PATH=${defaultPath}`] } };
}
