/** The image calls. Streams of progress end with the work; a line with `error` says that it failed. */
import type {
  BaseImage,
  ImageDeleteEntry,
  ImageDifference,
  ImageHistoryEntry,
  ImageInspect,
  ImageLayer,
  ImageSummary,
  ProgressMessage,
} from '../api/index.ts';
import type { Caller, FilterValues } from './caller.ts';

export interface ImagesPruned {
  ImagesDeleted: ImageDeleteEntry[] | null;
  SpaceReclaimed: number;
}
export interface SearchResult {
  name: string;
  description: string;
  star_count: number;
  is_official: boolean;
  is_automated: boolean;
}

/** The header that carries a registry's credentials (base64url JSON, as `encodeAuth` makes it). */
const authHeader = (auth: string | undefined): Record<string, string> =>
  auth === undefined ? {} : { 'X-Registry-Auth': auth };

export type ImageCalls = ReturnType<typeof imageCalls>;

export function imageCalls(caller: Caller) {
  return {
    list: (
      options: {
        all?: boolean;
        digests?: boolean;
        sharedSize?: boolean;
        manifests?: boolean;
        filters?: FilterValues;
      } = {},
    ) =>
      caller.json<ImageSummary[]>('imageList', {
        query: {
          all: options.all,
          digests: options.digests,
          'shared-size': options.sharedSize,
          manifests: options.manifests,
        },
        filters: options.filters,
      }),
    inspect: (name: string) => caller.json<ImageInspect>('imageInspect', { name }),
    inspectText: (name: string, platform?: string) => caller.text('imageInspect', { name, query: { platform } }),
    history: (name: string, platform?: string) =>
      caller.json<ImageHistoryEntry[]>('imageHistory', { name, query: { platform } }),
    /** Wherry only: another daemon answers 404. */
    layers: (name: string, platform?: string) =>
      caller.json<ImageLayer[]>('imageLayers', { name, query: { platform } }),
    /** Wherry only. A line with `error` says that the comparison failed. */
    diff: (from: string, to: string, platform?: string, signal?: AbortSignal) =>
      caller.lines<ImageDifference | { error: string }>('imageDiff', { query: { from, to, platform }, signal }),
    /** Wherry only. */
    baseImages: () => caller.json<BaseImage[]>('baseImages', {}),
    /** Wherry only. */
    makeBaseImages: (names: readonly string[], refresh: boolean, signal?: AbortSignal) =>
      caller.lines<ProgressMessage>('baseImagesMake', { query: { name: names, refresh }, signal }),
    pull: (
      query: { fromImage: string; tag?: string; platform?: string | undefined; bootstrap?: boolean },
      auth?: string,
      signal?: AbortSignal,
    ) => caller.lines<ProgressMessage>('imageCreate', { query, headers: authHeader(auth), signal }),
    push: (
      name: string,
      query: { tag?: string | undefined; platform?: string | undefined },
      auth: string,
      signal?: AbortSignal,
    ) => caller.lines<ProgressMessage>('imagePush', { name, query, headers: authHeader(auth), signal }),
    import: (
      query: {
        fromSrc: string;
        repo?: string;
        tag?: string;
        message?: string;
        changes?: readonly string[];
        platform?: string;
      },
      body?: AsyncIterable<Uint8Array>,
    ) =>
      caller.lines<ProgressMessage>('imageCreate', {
        query,
        ...(body === undefined ? {} : { stream: body, headers: { 'Content-Type': 'application/x-tar' } }),
      }),
    load: (body: AsyncIterable<Uint8Array>, query: { quiet?: boolean; platform?: string | undefined }) =>
      caller.lines<ProgressMessage>('imageLoad', {
        query: { quiet: query.quiet === true ? '1' : '0', platform: query.platform },
        stream: body,
        headers: { 'Content-Type': 'application/x-tar' },
      }),
    /** `size` is undefined where the daemon does not tell. `since`: without the layers of those images (Wherry only). */
    save: async (
      names: readonly string[],
      options: { platform?: string | undefined; since?: readonly string[] } = {},
    ): Promise<{ size: number | undefined; tar: AsyncIterable<Uint8Array> }> => {
      const { platform, since } = options;
      const answer = await caller.call('imageSaveMany', { query: { names, platform, since } });
      const size = Number(answer.headers['x-wherry-archive-size'] ?? Number.NaN);
      return { size: Number.isNaN(size) ? undefined : size, tar: answer.body };
    },
    /** What a registry has under a name, asked by the daemon. */
    distribution: (name: string, auth: string) =>
      caller.json<{ Descriptor: { digest: string } }>('distribution', { name, headers: authHeader(auth) }),
    tag: (name: string, repo: string, tag: string) => caller.done('imageTag', { name, query: { repo, tag } }),
    remove: (name: string, query: { force?: boolean; noprune?: boolean; platforms?: readonly string[] } = {}) =>
      caller.json<ImageDeleteEntry[]>('imageRemove', { name, query }),
    prune: (filters?: FilterValues) => caller.json<ImagesPruned>('imagePrune', { filters }),
    search: (term: string, options: { limit?: number | undefined; filters?: FilterValues; auth?: string }) =>
      caller.json<SearchResult[] | null>('imageSearch', {
        query: { term, limit: options.limit },
        filters: options.filters,
        headers: authHeader(options.auth),
      }),
  };
}
