/**
 * What dockerfile.v0 is asked for (buildkit, frontend/dockerui/config.go; docker/buildx, build/opt.go), as one build request. Pure: sources and
 * outputs come in as functions.
 */
import type {
  BuildCacheLocation,
  BuildOutput,
  BuildRequest,
  BuildSecrets,
  ClientBlobs,
  LocalSource,
} from '../../api/index.ts';
import { Fault, parseBytes } from '../../std/index.ts';

export interface Lender {
  /** A directory of the client's; `session` is another's than the build's own where clients share. */
  source(name: string, session: string | undefined): LocalSource;
  /** The archive that the client offers under that URL. */
  uploaded(url: URL): LocalSource;
  /** A folder of blobs of the client's. */
  store(name: string): ClientBlobs;
  readonly secrets: BuildSecrets;
  /** Sends the file of the n-th exporter. */
  sendFile(exporter: number, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /** Sends a folder for the n-th exporter. */
  sendTree(exporter: number, folder: string, modified: bigint | undefined): Promise<void>;
}

export interface FrontendRequest {
  id: string;
  options: ReadonlyMap<string, string>;
  exporters: readonly { type: string; attributes: ReadonlyMap<string, string> }[];
  cacheImports: readonly { type: string; attributes: ReadonlyMap<string, string> }[];
  cacheExports: readonly { type: string; attributes: ReadonlyMap<string, string> }[];
  entitlements: readonly string[];
  /** Builds of this engine that are held, by the names that options call them. */
  inputs?: ReadonlyMap<string, string>;
  held?: boolean;
}

/** @throws Fault invalid, not-implemented */
export function frontendRequest(asked: FrontendRequest, lender: Lender): BuildRequest {
  const { options } = asked;
  const network = options.get('force-network-mode');
  const remote = options.get('context');
  const local = (name: string): LocalSource => lender.source(name, options.get(`local-sessionid:${name}`));
  const context = contextOf(remote, lender, () => local(options.get('contextkey') ?? 'context'));
  // With a remote context the Dockerfile is in it, unless the client says where else.
  const dockerfileSource = (): LocalSource | undefined => {
    if (remote === undefined || options.has('dockerfilekey'))
      return local(options.get('dockerfilekey') ?? 'dockerfile');
    return context !== undefined && 'fetch' in context ? context : undefined;
  };
  return {
    id: asked.id,
    context,
    dockerfile: { path: options.get('filename') ?? 'Dockerfile', source: dockerfileSource() },
    namedContexts: namedContexts(options, local, asked.inputs ?? new Map()),
    target: options.get('target') || undefined,
    buildArgs: prefixed(options, 'build-arg:'),
    labels: prefixed(options, 'label:'),
    annotations: annotations(asked),
    platform: options.get('platform') || undefined,
    noCache: noCache(options.get('no-cache')),
    pull: options.get('image-resolve-mode') === 'pull',
    ...(options.get('wherry.bootstrap') === 'true' ? { bootstrap: true } : {}),
    cacheFrom: distinct([...asked.cacheImports, ...importsOption(options.get('cache-imports'))]).map((each) =>
      location(each, 'src', lender),
    ),
    cacheTo: asked.cacheExports.map((each) => location(each, 'dest', lender)),
    network: network === undefined || network === 'sandbox' ? 'default' : network,
    extraHosts: list(options.get('add-hosts')).map((each) => each.replace('=', ':')),
    limits: limits(options),
    allowInsecure: asked.entitlements.includes('security.insecure'),
    secrets: lender.secrets,
    outputs: asked.exporters.map((exporter, index) => output(exporter, index, lender)),
    ...(asked.held === true ? { held: true } : {}),
    call: callOf(options.get('requestid')),
  };
}

/** The host under which clients offer archives of theirs (buildkit, session/upload). */
const sessionHost = 'buildkit-session';

function contextOf(remote: string | undefined, lender: Lender, local: () => LocalSource): BuildRequest['context'] {
  if (remote === undefined) return local();
  const url = URL.canParse(remote) ? new URL(remote) : undefined;
  return url?.hostname === sessionHost ? lender.uploaded(url) : { url: remote };
}

/** Of dockerfile.v0 (buildkit, frontend/subrequests); `wherry.plan` is ours. */
const calls: Readonly<Record<string, BuildRequest['call']>> = {
  'frontend.lint': 'check',
  'frontend.outline': 'outline',
  'frontend.targets': 'targets',
  'wherry.plan': 'plan',
};

function callOf(subrequest: string | undefined): BuildRequest['call'] {
  if (subrequest === undefined) return 'build';
  const call = Object.hasOwn(calls, subrequest) ? calls[subrequest] : undefined;
  if (call !== undefined) return call;
  const known = Object.keys(calls).join(', ');
  throw new Fault('not-implemented', `Cannot answer ${JSON.stringify(subrequest)}: this builder knows ${known}`);
}

function prefixed(options: ReadonlyMap<string, string>, prefix: string): Map<string, string> {
  return new Map(
    [...options].filter(([key]) => key.startsWith(prefix)).map(([key, value]) => [key.slice(prefix.length), value]),
  );
}

function namedContexts(
  options: ReadonlyMap<string, string>,
  local: (name: string) => LocalSource,
  inputs: ReadonlyMap<string, string>,
): BuildRequest['namedContexts'] {
  const contexts = new Map<string, LocalSource | { url: string } | { image: string } | { build: string }>();
  for (const [name, value] of prefixed(options, 'context:')) {
    if (value.startsWith('docker-image://')) contexts.set(name, { image: value.slice('docker-image://'.length) });
    else if (value.startsWith('local:')) contexts.set(name, local(value.slice('local:'.length)));
    else if (value.startsWith('input:')) contexts.set(name, { build: inputBuild(name, value, inputs) });
    else if (/^(https?|git|ssh):|^git@/.test(value)) contexts.set(name, { url: value });
    else throw new Fault('invalid', `unsupported context source ${value.split(':')[0]} for ${name}`);
  }
  return contexts;
}

function inputBuild(name: string, value: string, inputs: ReadonlyMap<string, string>): string {
  const build = inputs.get(value.slice('input:'.length));
  if (build === undefined) throw new Fault('invalid', `invalid input ${value} for context ${name}`);
  return build;
}

/** "" is every step, else stages. */
function noCache(value: string | undefined): BuildRequest['noCache'] {
  if (value === undefined) return false;
  return value === '' ? true : list(value);
}

function list(value: string | undefined): string[] {
  return (value ?? '').split(',').filter((each) => each !== '');
}

function annotations({ exporters }: FrontendRequest): Map<string, string> {
  const found = new Map<string, string>();
  for (const { attributes } of exporters) {
    for (const [key, value] of attributes) {
      // Those of a single platform are for who knows it: the output has them, too.
      const name = /^annotation(?:-manifest)?\.(.+)$/.exec(key)?.[1];
      if (name !== undefined) found.set(name, value);
    }
  }
  return found;
}

/** `place`: the attribute that says where the client has its folder (buildkit, cache/remotecache/local). */
function location({ type, attributes }: CacheEntry, place: 'src' | 'dest', lender: Lender): BuildCacheLocation {
  const folder = type === 'local' ? attributes.get(place) : undefined;
  const store = folder === undefined || folder === '' ? {} : { store: lender.store(`local:${folder}`) };
  return { type, attributes: Object.fromEntries(attributes), ...store };
}

type CacheEntry = FrontendRequest['cacheImports'][number];

/** Clients say the same import in the request and as an option. */
function distinct(entries: readonly CacheEntry[]): CacheEntry[] {
  return [...new Map(entries.map((each) => [nameOf(each), each])).values()];
}

function nameOf({ type, attributes }: CacheEntry): string {
  return JSON.stringify([type, ...[...attributes].sort(([a], [b]) => (a < b ? -1 : 1))]);
}

/** JSON of BuildKit's own CacheOptionsEntry. */
function importsOption(value: string | undefined): CacheEntry[] {
  if (value === undefined || value === '') return [];
  try {
    const entries = JSON.parse(value) as { Type: string; Attrs: Record<string, string> }[];
    return entries.map(({ Type, Attrs }) => ({ type: Type, attributes: new Map(Object.entries(Attrs)) }));
  } catch (error) {
    throw new Fault('invalid', `failed to unmarshal cache-imports (${JSON.stringify(value)})`, { cause: error });
  }
}

function limits(options: ReadonlyMap<string, string>): BuildRequest['limits'] {
  const number = (name: string): number => {
    const value = options.get(name) ?? '0';
    const parsed = /^-?\d+$/.test(value) ? Number(value) : parseBytes(value);
    if (parsed === undefined) throw new Fault('invalid', `could not parse ${name}: ${JSON.stringify(value)}`);
    return parsed;
  };
  return {
    memory: number('memory'),
    memorySwap: number('memswap'),
    cpuShares: number('cpushares'),
    cpuPeriod: number('cpuperiod'),
    cpuQuota: number('cpuquota'),
    cpusetCpus: options.get('cpusetcpus') ?? '',
    cpusetMems: options.get('cpusetmems') ?? '',
    shmSize: number('shm-size'),
    ulimits: list(options.get('ulimit')).map(ulimit),
    cgroupParent: options.get('cgroup-parent') ?? '',
  };
}

/** `name=soft[:hard]`. */
function ulimit(value: string): { Name: string; Soft: number; Hard: number } {
  const match = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(value);
  if (match === null) throw new Fault('invalid', `invalid ulimit argument: ${value}`);
  return { Name: match[1]!, Soft: Number(match[2]), Hard: Number(match[3] ?? match[2]) };
}

function output(
  { type, attributes }: FrontendRequest['exporters'][number],
  index: number,
  lender: Lender,
): BuildOutput {
  const known = { moby: 'image', image: 'image', docker: 'docker', oci: 'oci', tar: 'tar', local: 'local' } as const;
  const kind = known[type as keyof typeof known];
  if (kind === undefined) throw new Fault('invalid', `exporter ${JSON.stringify(type)} could not be found`);
  const isArchive = kind === 'oci' || kind === 'docker';
  const isLayout = isArchive && /^(?:0|f|F|false|FALSE|False)$/.test(attributes.get('tar') ?? '');
  return {
    type: kind,
    names: list(attributes.get('name')),
    push: attributes.get('push') === 'true',
    attributes: Object.fromEntries(attributes),
    write: kind === 'image' || kind === 'local' || isLayout ? undefined : (bytes) => lender.sendFile(index, bytes),
    ...(isLayout ? { store: lender.store('export') } : {}),
    ...(kind === 'local' ? { writeTree: (folder, times) => lender.sendTree(index, folder, times?.modified) } : {}),
  };
}
