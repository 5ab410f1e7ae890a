/** A service as a container to be created: docker compose's translation (`pkg/compose/create.go`), so that both make the same. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  type ContainerCreateBody,
  type EndpointConfig,
  type HealthConfig,
  type HostConfig,
  type RestartPolicy,
  restartUnhealthyAnnotation,
} from '../../api/index.ts';
import { errorCode, Fault, messageOf } from '../../std/index.ts';
import { composeVersion, type Labels, label } from '../labels.ts';
import { imageNameOf } from '../names.ts';
import { serviceHash } from '../print/hash.ts';
import type { Healthcheck, Mapping, Project, Service } from '../project.ts';
import { type Inherited, mountsOf } from './mounts.ts';
import { networkingOf } from './networks.ts';
import { defined, resourcesOf } from './resources.ts';

export interface ContainerRequest {
  project: Project;
  /** With its references resolved: what it shares with others is theirs by id. */
  service: Service;
  /** 0 for a one-off container. */
  number: number;
  /** The image it is made of; undefined when the engine does not know it yet. */
  imageId: string | undefined;
  links: readonly string[];
  inherited?: Inherited | undefined;
  apiVersion: number;
  /** The name of the container it takes the place of, for those who watch. */
  replaces?: string;
  oneOff?: { slug: string; isNamed: boolean; autoRemove: boolean; attachStdin: boolean };
  /** The user's proxies, as variables. */
  proxies: Readonly<Record<string, string>>;
}

export interface CreateCall {
  body: ContainerCreateBody;
  platform: string | undefined;
  later: { network: string; endpoint: EndpointConfig }[];
}

/** API version (minor) that knows `Healthcheck.StartInterval`. */
const startIntervalSince = 44;
const imageMountsSince = 48;

/** @throws Fault invalid for what the service or the engine does not allow; not-found for a seccomp profile that is missing */
export function createCall(request: ContainerRequest): CreateCall {
  const { project, service, number, oneOff, apiVersion } = request;
  const networking = networkingOf(project, service, {
    number: number === 0 ? -1 : number,
    links: request.links,
    isNamed: oneOff?.isNamed ?? true,
    apiVersion,
  });
  const stdin = oneOff?.attachStdin ?? false;
  const { ports, exposed } = portsOf(service);
  const mounts = mountsOf(project, service, request.inherited);
  if (apiVersion < imageMountsSince && mounts.Mounts.some(({ Type }) => Type === 'image'))
    throw new Fault('invalid', 'volume with type=image require Docker Engine v28 or later');
  const body: ContainerCreateBody = defined<ContainerCreateBody>({
    Hostname: service.hostname,
    Domainname: service.domainname,
    User: service.user,
    ExposedPorts: exposed,
    Tty: service.tty ?? false,
    OpenStdin: service.stdin_open ?? false,
    StdinOnce: stdin && service.stdin_open === true,
    AttachStdin: stdin,
    AttachStdout: true,
    AttachStderr: true,
    Cmd: service.command,
    Entrypoint: service.entrypoint,
    Image: imageNameOf(project, service),
    WorkingDir: service.working_dir,
    MacAddress: networking.macAddress,
    Labels: labelsOf(request),
    StopSignal: service.stop_signal,
    StopTimeout: service.stop_grace_period === undefined ? undefined : Math.trunc(service.stop_grace_period / 1e9),
    Env: environmentList({ ...request.proxies, ...service.environment }),
    Healthcheck: healthcheckOf(service.healthcheck, apiVersion),
    HostConfig: { ...hostConfigOf(request, networking.mode), PortBindings: ports, ...mounts },
    NetworkingConfig: networking.config,
  });
  const platform = service.platform || project.environment['DOCKER_DEFAULT_PLATFORM'] || undefined;
  return { body, platform, later: networking.later };
}

function hostConfigOf({ project, service, links, oneOff }: ContainerRequest, networkMode: string): HostConfig {
  const security = securityOf(project, service.security_opt ?? []);
  return defined<HostConfig>({
    AutoRemove: oneOff?.autoRemove ?? false,
    Annotations: annotationsOf(service),
    CapAdd: capabilities(service.cap_add),
    CapDrop: capabilities(service.cap_drop),
    NetworkMode: networkMode,
    Init: service.init,
    IpcMode: service.ipc,
    CgroupnsMode: service.cgroup,
    ReadonlyRootfs: service.read_only,
    RestartPolicy: restartPolicyOf(service),
    ShmSize: service.shm_size,
    Sysctls: service.sysctls,
    ...resourcesOf(service),
    VolumeDriver: service.volume_driver,
    VolumesFrom: service.volumes_from,
    Dns: service.dns,
    DnsSearch: service.dns_search,
    DnsOptions: service.dns_opt,
    ExtraHosts: extraHosts(service.extra_hosts),
    SecurityOpt: security.options,
    StorageOpt: service.storage_opt,
    UsernsMode: service.userns_mode,
    UTSMode: service.uts,
    Privileged: service.privileged,
    PidMode: service.pid,
    Tmpfs: tmpfsOf(service.tmpfs),
    Isolation: service.isolation,
    Runtime: service.runtime,
    LogConfig:
      service.logging === undefined
        ? undefined
        : defined({ Type: service.logging.driver, Config: service.logging.options }),
    GroupAdd: service.group_add,
    Links: links.length === 0 ? undefined : [...links],
    OomScoreAdj: service.oom_score_adj,
    ...(security.isUnconfined ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
  });
}

/** The service's own labels, and those by which it is known. */
export function labelsOf({
  project,
  service,
  number,
  imageId,
  replaces,
  oneOff,
}: ContainerRequest): Record<string, string> {
  return {
    ...service.labels,
    ...projectLabels(project, service),
    [label.oneOff]: oneOff === undefined ? 'False' : 'True',
    ...(oneOff === undefined ? {} : { [label.slug]: oneOff.slug }),
    ...(imageId === undefined ? {} : { [label.image]: imageId }),
    ...(replaces === undefined ? {} : { [label.replaces]: replaces }),
    [label.hash]: serviceHash(service),
    ...(number === 0 ? {} : { [label.number]: String(number) }),
    [label.dependencies]: Object.entries(service.depends_on ?? {})
      .map(([name, { condition, restart = false }]) => `${name}:${condition}:${restart}`)
      .join(','),
  };
}

function projectLabels(project: Project, service: Service): Labels {
  return {
    [label.project]: project.name,
    [label.service]: service.name,
    [label.version]: composeVersion,
    [label.workingDir]: project.workingDir,
    [label.files]: project.composeFiles.join(','),
    ...(project.askedEnvFiles.length === 0 ? {} : { [label.envFiles]: project.askedEnvFiles.join(',') }),
  };
}

/** `KEY=value`; a key alone is taken out of the image's. */
export function environmentList(environment: Mapping): string[] {
  return Object.entries(environment)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => (value === null ? key : `${key}=${value}`));
}

function healthcheckOf(check: Healthcheck | undefined, apiVersion: number): HealthConfig | undefined {
  if (check === undefined) return undefined;
  if (check.start_interval !== undefined) {
    if (apiVersion < startIntervalSince)
      throw new Fault('invalid', "can't set healthcheck.start_interval as feature require Docker Engine v25 or later");
    if (check.start_period === undefined)
      throw new Fault('invalid', 'healthcheck.start_interval requires healthcheck.start_period to be set');
  }
  return defined<HealthConfig>({
    Test: check.disable === true ? ['NONE'] : check.test,
    Interval: check.interval,
    Timeout: check.timeout,
    StartPeriod: check.start_period,
    StartInterval: check.start_interval,
    Retries: check.retries,
  });
}

function portsOf(service: Service): { ports: HostConfig['PortBindings']; exposed: Record<string, object> } {
  const exposed: Record<string, object> = {};
  const ports: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of service.expose ?? []) exposed[port.includes('/') ? port : `${port}/tcp`] = {};
  for (const { target, protocol = 'tcp', host_ip: ip = '', published = '' } of service.ports ?? []) {
    const key = `${target}/${protocol}`;
    exposed[key] = {};
    (ports[key] ??= []).push({ HostIp: ip, HostPort: published });
  }
  return { ports, exposed };
}

const conditions: Readonly<Record<string, string>> = { none: 'no', any: 'always' };

/** `deploy.restart_policy` over `restart`. */
export function restartPolicyOf({ restart, deploy }: Service): RestartPolicy | undefined {
  const policy = deploy?.restart_policy;
  if (policy !== undefined)
    return { Name: engineCondition(policy.condition ?? ''), MaximumRetryCount: policy.max_attempts ?? 0 };
  if (restart === undefined || restart === '') return undefined;
  const [condition = '', attempts = ''] = restart.split(':');
  return { Name: engineCondition(condition), MaximumRetryCount: Number.parseInt(attempts, 10) || 0 };
}

function engineCondition(condition: string): string {
  return conditions[condition] ?? condition;
}

function extraHosts(hosts: Service['extra_hosts']): string[] | undefined {
  if (hosts === undefined) return undefined;
  return Object.entries(hosts).flatMap(([name, addresses]) => addresses.map((address) => `${name}:${address}`));
}

/** As with `wherry run`: what restarts by itself is restarted when it is unhealthy, too, unless the file says otherwise. */
function annotationsOf(service: Service): Record<string, string> | undefined {
  const policy = restartPolicyOf(service)?.Name;
  const restarts = policy === 'always' || policy === 'unless-stopped';
  if (!restarts || service.healthcheck?.disable === true) return service.annotations;
  return { [restartUnhealthyAnnotation]: 'true', ...service.annotations };
}

/** As docker's client sends them: with their prefix, sorted; with ALL, nothing else. */
function capabilities(names: readonly string[] | undefined): string[] | undefined {
  if (names === undefined || names.length === 0) return undefined;
  const full = new Set(
    names.map((name) => {
      const upper = name.toUpperCase();
      return upper === 'ALL' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
    }),
  );
  return full.has('ALL') ? ['ALL'] : [...full].toSorted();
}

function tmpfsOf(tmpfs: readonly string[] | undefined): Record<string, string> | undefined {
  if (tmpfs === undefined || tmpfs.length === 0) return undefined;
  return Object.fromEntries(
    tmpfs.map((each) => {
      const colon = each.indexOf(':');
      return colon < 0 ? [each, ''] : [each.slice(0, colon), each.slice(colon + 1)];
    }),
  );
}

/** A seccomp profile is read here: the engine has not our files. */
function securityOf(
  { workingDir }: Project,
  given: readonly string[],
): { options: string[] | undefined; isUnconfined: boolean } {
  const options = given
    .filter((each) => each !== 'systempaths=unconfined')
    .map((each) => {
      const [, key = '', value = ''] = /^([^=:]+)[=:]?(.*)$/s.exec(each) ?? [];
      if (value === '' && key !== 'no-new-privileges')
        throw new Fault('invalid', `invalid security-opt: ${JSON.stringify(each)}`);
      if (key !== 'seccomp' || value === 'unconfined' || value === 'builtin') return each;
      return `seccomp=${readProfile(resolve(workingDir, value), value)}`;
    });
  return {
    options: options.length === 0 ? undefined : options,
    isUnconfined: given.includes('systempaths=unconfined'),
  };
}

function readProfile(path: string, shown: string): string {
  try {
    return JSON.stringify(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    const kind = errorCode(error) === 'ENOENT' ? 'not-found' : 'invalid';
    throw new Fault(kind, `opening seccomp profile (${shown}) failed: ${messageOf(error)}`, { cause: error });
  }
}
