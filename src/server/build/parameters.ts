/** `POST /build` for the classic builder: its query as what a build asks for (moby, api/server/router/build). Pure. */
import type { BuildRequest } from '../../api/index.ts';
import { familiarReference, parseReference, withDefaultTag } from '../../oci/index.ts';
import { Fault } from '../../std/index.ts';
import { integer, list, map, nullable, object, type Shape, text, textMap, texts } from '../body/shape.ts';
import type { Query } from '../query.ts';

export interface ClassicBuild {
  /** By which it can be cancelled. */
  readonly id: string | undefined;
  /** Where the context is; undefined: it is the body. */
  readonly remote: string | undefined;
  /** Its path in the context. */
  readonly dockerfile: string;
  /** Familiar names with their tags, each once. */
  readonly tags: readonly string[];
  /** The answer is the image's id alone, unless the build fails. */
  readonly quiet: boolean;
  /** When the end of a step's container is told of. */
  readonly removes: 'never' | 'on-success' | 'always';
  readonly request: Omit<BuildRequest, 'id' | 'context' | 'dockerfile' | 'secrets'>;
}

const clientSession = 'client-session';

/** @throws Fault invalid, in Docker's words */
export function classicBuild(query: Query, version: number): ClassicBuild {
  refuse(query);
  const tags = tagsOf(query.all('t'));
  return {
    id: query.text('buildid'),
    remote: query.text('remote'),
    dockerfile: query.text('dockerfile') ?? 'Dockerfile',
    tags,
    quiet: query.boolean('q'),
    removes: query.boolean('forcerm') ? 'always' : removesOnSuccess(query) ? 'on-success' : 'never',
    request: {
      namedContexts: new Map(),
      target: query.text('target'),
      buildArgs: new Map(buildArgs(query)),
      labels: labels(query),
      annotations: new Map(),
      platform: version < 32 ? undefined : query.text('platform'),
      noCache: query.boolean('nocache'),
      pull: query.boolean('pull'),
      cacheFrom: cacheFrom(query).map((ref) => ({ type: 'registry', attributes: { ref } })),
      cacheTo: [],
      network: network(query.text('networkmode')),
      extraHosts: query.all('extrahosts').filter((host) => host !== ''),
      limits: limits(query),
      allowInsecure: false,
      outputs: [{ type: 'image', names: tags, push: false, attributes: {}, write: undefined }],
      call: 'build',
    },
  };
}

/** @throws Fault invalid for what this builder never does */
function refuse(query: Query): void {
  const version = query.text('version');
  if (version !== undefined && version !== '1')
    throw new Fault('invalid', `invalid version ${JSON.stringify(version)}`);
  if (query.has('securityopt')) {
    throw new Fault('invalid', 'security options are not supported on linux');
  }
  const isolation = query.text('isolation');
  if (isolation !== undefined && isolation.toLowerCase() !== 'default') {
    throw new Fault('invalid', `unsupported isolation: ${JSON.stringify(isolation)}`);
  }
  if (query.boolean('squash')) {
    throw new Fault('invalid', 'squash is only supported with experimental mode');
  }
  if (query.text('remote') === clientSession) {
    throw new Fault(
      'invalid',
      'experimental session with v1 builder is no longer supported, use builder version v2 (BuildKit) instead',
    );
  }
}

/** @throws Fault invalid */
function tagsOf(names: readonly string[]): string[] {
  const tags = names
    .filter((name) => name !== '')
    .map((name) => {
      const reference = parseReference(name);
      if (reference.digest !== undefined) throw new Fault('invalid', 'build tag cannot contain a digest');
      return familiarReference(withDefaultTag(reference));
    });
  return [...new Set(tags)];
}

/** `rm` is true unless said. */
function removesOnSuccess(query: Query): boolean {
  return query.text('rm') === undefined || query.boolean('rm');
}

const argShape = nullable(map(nullable(text)));
const labelShape = nullable(textMap);
const referencesShape = nullable(texts);
const ulimitsShape = nullable(
  list(object<{ Name?: string; Soft?: number; Hard?: number }>({ Name: text, Soft: integer, Hard: integer })),
);

/** A value that is null is the daemon's own to find. */
function buildArgs(query: Query): [string, string | undefined][] {
  const given = json(query, 'buildargs', argShape, 'error reading build args');
  return Object.entries(given ?? {}).map(([name, value]) => [name, value ?? undefined]);
}

/** In the order of their names, as they come to stand in the image's history. */
function labels(query: Query): Map<string, string> {
  const given = json(query, 'labels', labelShape, 'error reading labels') ?? {};
  return new Map(Object.entries(given).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

function cacheFrom(query: Query): string[] {
  return json(query, 'cachefrom', referencesShape, 'error reading cache-from') ?? [];
}

function network(mode: string | undefined): string {
  return mode === undefined || mode === 'bridge' ? 'default' : mode;
}

function limits(query: Query): BuildRequest['limits'] {
  const ulimits = json(query, 'ulimits', ulimitsShape, 'error reading ulimit settings') ?? [];
  return {
    memory: number(query, 'memory'),
    memorySwap: number(query, 'memswap'),
    cpuShares: number(query, 'cpushares'),
    cpuPeriod: number(query, 'cpuperiod'),
    cpuQuota: number(query, 'cpuquota'),
    cpusetCpus: query.text('cpusetcpus') ?? '',
    cpusetMems: query.text('cpusetmems') ?? '',
    shmSize: query.integer('shmsize') ?? 0,
    ulimits: ulimits.map(({ Name = '', Soft = 0, Hard = 0 }) => ({ Name, Soft, Hard })),
    cgroupParent: query.text('cgroupparent') ?? '',
  };
}

/** 0 for what is no number, as in Docker. */
function number(query: Query, key: string): number {
  const value = query.text(key) ?? '';
  return /^[+-]?\d{1,15}$/.test(value) ? Number(value) : 0;
}

/** A parameter that holds JSON; undefined when it is absent, empty or null. @throws Fault invalid */
function json<T>(query: Query, key: string, shape: Shape<T | null>, what: string): T | undefined {
  const value = query.text(key);
  if (value === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
    return shape(parsed, key) ?? undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^invalid JSON: /, '') : '';
    throw new Fault('invalid', `${what}: ${why}`, { cause: error });
  }
}
