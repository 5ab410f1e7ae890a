/** A command line as what a builder is asked (docker/buildx, build/opt.go): options of dockerfile.v0, outputs, and what is lent. */
import { hostname } from 'node:os';
import { askWorker, type BuildAsk, type Connect, type Loans, type OutputTarget } from '../../buildkit/index.ts';
import { Fault, messageOf } from '../../std/index.ts';
import { proxyEnvironment } from '../context/proxy.ts';
import type { Flags } from '../flag/parse.ts';
import { credentialsFor, parseImageName } from '../../context/index.ts';
import { parseUlimit } from '../run/devices.ts';
import type { Session } from '../session.ts';
import { parseAnnotations } from './annotation-flag.ts';
import { parseCaches } from './cache-flags.ts';
import { parseCall } from './call-flag.ts';
import type { BuildPlace } from './context.ts';
import { hostsOption } from './hosts.ts';
import { localCaches } from './local-caches.ts';
import { parseNamedContexts } from './named-contexts.ts';
import { type Output, parseOutputs } from './outputs.ts';
import { platformOption } from './platform-flag.ts';
import { parseSecrets } from './secret-flag.ts';
import { parseAgents } from './ssh-flag.ts';

export interface PreparedBuild {
  ask: BuildAsk;
  loans: Loans;
  outputs: readonly Output[];
  /** Said before the build. */
  notices: readonly string[];
}

/** @throws Fault */
export async function prepareBuild(
  session: Session,
  flags: Flags,
  place: BuildPlace,
  connect: Connect,
): Promise<PreparedBuild> {
  refuseUnsupported(flags);
  const { env } = session;
  const named = parseNamedContexts(flags.list('build-context'));
  const call = parseCall(flags);
  const outputs = call === undefined ? outputsOf(session, flags) : [];
  const entitlements = entitlementsOf(flags);
  const options = new Map([
    ...place.options,
    ...named.options,
    ...(await plainOptions(flags, connect, env)),
    ...limitOptions(flags),
    ...prefixed('build-arg:', await buildArgs(session, flags)),
    ...prefixed(
      'label:',
      keyValues(flags.list('label'), () => ''),
    ),
  ]);
  if (call !== undefined) options.set('requestid', call.request);
  const cacheExports = call === undefined ? parseCaches(flags.list('cache-to')) : [];
  const caches = localCaches(parseCaches(flags.list('cache-from')), cacheExports);
  return {
    ask: {
      options,
      exporters: outputs.map(({ type, attributes }) => ({ type, attributes })),
      cacheImports: caches.imports,
      cacheExports,
      entitlements,
      sharedKey: sharedKeyOf(place),
    },
    loans: {
      folders: new Map([...place.folders, ...named.folders]),
      secrets: parseSecrets(flags.list('secret'), env),
      agents: parseAgents(agentsOf(flags, place, env), env),
      credentials: async (host) => credentialsFor(session, host === 'registry-1.docker.io' ? 'docker.io' : host),
      upload: place.upload,
      outputs: outputs.map(({ target }) => targetOf(session, target)),
      stores: new Map([...caches.stores, ...layoutStore(outputs)]),
    },
    outputs,
    notices: [...deprecations(flags), ...caches.missing.map((folder) => `there is no cache in ${folder} yet`)],
  };
}

/** As buildx says it of flags of the classic builder. */
function deprecations(flags: Flags): string[] {
  return [
    ...(flags.string('isolation') === '' ? [] : ['isolation flag is deprecated with BuildKit.']),
    ...(flags.list('security-opt').length === 0
      ? []
      : ['security-opt flag is deprecated. "RUN --security=insecure" should be used with BuildKit.']),
  ];
}

/** A repository over SSH is fetched with the user's agent. */
function agentsOf(flags: Flags, { options }: BuildPlace, env: Session['env']): readonly string[] {
  const asked = flags.list('ssh');
  if (asked.length > 0 || (env['SSH_AUTH_SOCK'] ?? '') === '') return asked;
  return /^(?:ssh:\/\/|[\w.-]+@[\w.-]+:)/.test(options.get('context') ?? '') ? ['default'] : asked;
}

/** What would not be what was asked for. */
function refuseUnsupported(flags: Flags): void {
  const builder = flags.string('builder');
  if (builder !== '' && builder !== 'default') {
    throw new Fault(
      'invalid',
      `no builder ${JSON.stringify(builder)} found: the daemon is the builder; choose another daemon with -H or --context`,
    );
  }
  if (flags.bool('squash')) {
    throw new Fault(
      'not-implemented',
      'Cannot squash: copy what is to stay into a last stage FROM scratch, as in COPY --from=build / /',
    );
  }
  for (const value of attestations(flags)) {
    throw new Fault(
      'not-implemented',
      `Cannot attest (${value}): attestations are not made here; leave it out, or give it as false`,
    );
  }
}

/** Those that are wanted: "false" says that they are not. */
function attestations(flags: Flags): string[] {
  const isWanted = (value: string): boolean => !/^(?:|0|f|false|.*disabled=true.*)$/i.test(value);
  return [
    ...flags.list('attest').filter((value) => isWanted(value) && !/disabled=(true|1)/.test(value)),
    ...['provenance', 'sbom']
      .filter((name) => isWanted(flags.string(name)))
      .map((name) => `--${name}=${flags.string(name)}`),
  ];
}

function outputsOf(session: Session, flags: Flags): Output[] {
  const tags = flags.list('tag');
  for (const tag of tags) checkTag(tag);
  const annotations = parseAnnotations(flags.list('annotation'));
  const outputs = parseOutputs({
    outputs: flags.list('output'),
    load: flags.bool('load'),
    push: flags.bool('push'),
    tags,
    isTerminal: session.out.isTerminal,
  });
  for (const { attributes } of outputs) for (const [key, value] of annotations) attributes.set(key, value);
  return outputs;
}

function checkTag(tag: string): void {
  try {
    parseImageName(tag);
  } catch (error) {
    throw new Fault('invalid', `invalid tag ${JSON.stringify(tag)}: ${messageOf(error)}`, { cause: error });
  }
}

async function plainOptions(flags: Flags, connect: Connect, env: Session['env']): Promise<Map<string, string>> {
  const options = new Map<string, string>();
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') options.set(name, value);
  };
  const filter = flags.list('no-cache-filter');
  if (flags.bool('no-cache') && filter.length > 0) {
    throw new Fault('invalid', '--no-cache and --no-cache-filter cannot currently be used together');
  }
  if (flags.bool('no-cache')) options.set('no-cache', '');
  set('no-cache', filter.join(','));
  set('target', flags.string('target'));
  set('platform', platformOption(flags.list('platform'), env['DOCKER_DEFAULT_PLATFORM']));
  set('force-network-mode', networkOf(flags));
  if (flags.bool('bootstrap')) options.set('wherry.bootstrap', 'true');
  options.set('image-resolve-mode', flags.bool('pull') ? 'pull' : 'local');
  set('add-hosts', await hostsOption(flags.list('add-host'), () => gatewayOf(connect)));
  set('cgroup-parent', flags.string('cgroup-parent'));
  return options;
}

/** undefined: the builder's own network. @throws Fault */
function networkOf(flags: Flags): string | undefined {
  const network = flags.string('network');
  if (network === 'host' || network === 'none') return network;
  if (network === '' || network === 'default') return undefined;
  throw new Fault(
    'invalid',
    `network mode ${JSON.stringify(network)} not supported by buildkit: use default, host or none`,
  );
}

async function gatewayOf(connect: Connect): Promise<string> {
  const { labels } = await askWorker(connect);
  const address = labels.get('org.mobyproject.buildkit.worker.moby.host-gateway-ip');
  if (address === undefined)
    throw new Fault('unavailable', 'unable to derive the IP value for host-gateway: give the address itself');
  return address;
}

function limitOptions(flags: Flags): Map<string, string> {
  const sizes = { memory: 'memory', 'memory-swap': 'memswap', 'shm-size': 'shm-size' };
  const numbers = { 'cpu-period': 'cpuperiod', 'cpu-quota': 'cpuquota', 'cpu-shares': 'cpushares' };
  const texts = { 'cpuset-cpus': 'cpusetcpus', 'cpuset-mems': 'cpusetmems' };
  const options = new Map<string, string>();
  for (const [flag, name] of Object.entries(sizes))
    if (flags.bytes(flag) !== 0) options.set(name, String(flags.bytes(flag)));
  for (const [flag, name] of Object.entries(numbers)) {
    if (flags.integer(flag) !== 0) options.set(name, String(flags.integer(flag)));
  }
  for (const [flag, name] of Object.entries(texts))
    if (flags.string(flag) !== '') options.set(name, flags.string(flag));
  const limits = flags.list('ulimit').flatMap((value) => {
    const limit = parseUlimit(value);
    return typeof limit === 'string' ? [] : [`${limit.Name}=${limit.Soft}:${limit.Hard}`];
  });
  if (limits.length > 0) options.set('ulimit', limits.join(','));
  return options;
}

const entitlements = ['network.host', 'security.insecure', 'device'];

function entitlementsOf(flags: Flags): string[] {
  const allowed = flags.list('allow');
  const unknown = allowed.find((each) => !entitlements.includes(each.split('=')[0]!));
  if (unknown !== undefined) {
    throw new Fault('invalid', `unknown entitlement ${unknown}: known are ${entitlements.join(', ')}`);
  }
  return [...new Set([...allowed, ...(flags.string('network') === 'host' ? ['network.host'] : [])])];
}

/** The user's; what their configuration says of proxies; when files are to be from. */
async function buildArgs(session: Session, flags: Flags): Promise<Map<string, string>> {
  const { env } = session;
  const args = keyValues(flags.list('build-arg'), (name) => env[name]);
  const { endpoint } = await session.endpoint();
  for (const line of proxyEnvironment(session.config().data, endpoint.url, [...args.keys()])) {
    const equals = line.indexOf('=');
    args.set(line.slice(0, equals), line.slice(equals + 1));
  }
  const epoch = env['SOURCE_DATE_EPOCH'];
  if (epoch !== undefined && epoch !== '' && !args.has('SOURCE_DATE_EPOCH')) args.set('SOURCE_DATE_EPOCH', epoch);
  return args;
}

/** @param missing the value of a name alone; undefined leaves it out */
function keyValues(values: readonly string[], missing: (name: string) => string | undefined): Map<string, string> {
  const found = new Map<string, string>();
  for (const value of values) {
    const equals = value.indexOf('=');
    const name = equals < 0 ? value : value.slice(0, equals);
    const given = equals < 0 ? missing(name) : value.slice(equals + 1);
    if (given !== undefined) found.set(name, given);
  }
  return found;
}

function prefixed(prefix: string, values: ReadonlyMap<string, string>): [string, string][] {
  return [...values].map(([key, value]) => [`${prefix}${key}`, value]);
}

function targetOf(session: Session, target: Output['target']): OutputTarget | undefined {
  return target !== undefined && 'standardOutput' in target ? { write: (bytes) => session.out.write(bytes) } : target;
}

/** The daemon keeps a copy of what is lent by this key: one for this folder of this machine. */
function sharedKeyOf({ folders }: BuildPlace): string {
  const folder = folders.get('context') ?? folders.get('dockerfile');
  if (folder === undefined) return '';
  return encodeURIComponent(`${hostname()}:${folder}`);
}

/** What builders call the folder that an image goes into (buildkit, client/solve.go). @throws Fault invalid */
function layoutStore(outputs: readonly Output[]): [string, string][] {
  const folders = outputs.flatMap(({ layout }) => layout ?? []);
  if (folders.length > 1)
    throw new Fault('invalid', 'Cannot write an image into several folders (tar=false): build once for each');
  return folders.map((folder) => ['export', folder]);
}
