/** One-off containers (`run`): a service's, with another command and a name of their own; what it depends on runs first. */
import { randomBytes } from 'node:crypto';
import { Fault } from '../std/index.ts';
import { createCall } from './create/container.ts';
import { linksOf } from './create/links.ts';
import { resolveReferences } from './create/references.ts';
import type { Context } from './apply/context.ts';
import { create } from './apply/containers.ts';
import { writeFiles } from './apply/files.ts';
import { Happenings, waitFor } from './apply/wait.ts';
import { withApiSocket } from './api-socket.ts';
import { type ImageDoor, prepare } from './converge.ts';
import { localImages, neededBuilds, neededPulls } from './images.ts';
import { byName, imageNameOf, isOneOff, separatorOf, serviceOf } from './names.ts';
import { listContainers } from './observe.ts';
import type { Mapping, Port, Project, Service, ServiceVolume } from './project.ts';
import { selectServices, withoutService } from './select.ts';

export interface RunRequest {
  service: string;
  /** Empty: the service's own. */
  command: readonly string[];
  entrypoint: readonly string[] | undefined;
  environment: Mapping;
  labels: Readonly<Record<string, string>>;
  name: string | undefined;
  user: string | undefined;
  workingDir: string | undefined;
  capAdd: readonly string[];
  capDrop: readonly string[];
  volumes: readonly ServiceVolume[];
  /** Undefined: the service's own. */
  ports: readonly Port[] | undefined;
  tty: boolean;
  interactive: boolean;
  autoRemove: boolean;
  useAliases: boolean;
  dependencies: boolean;
  build: boolean;
  removeOrphans: boolean;
  ignoreOrphans: boolean;
  now: number;
}

/** @returns the id of the container that was made, not started */
export async function prepareRun(context: Context, images: ImageDoor, request: RunRequest): Promise<string> {
  const chosen = request.dependencies
    ? context.project
    : selectServices(context.project, [request.service], { dependencies: false });
  const project = await withApiSocket({ ...context, project: chosen });
  const own = project.services[request.service];
  if (own === undefined) throw new Fault('not-found', `no such service: ${request.service}`);
  if (request.dependencies) await startDependencies({ ...context, project }, images, request);
  const service = oneOffService(project, own, request);
  await ensureImage(
    { ...context, project: selectServices(project, [service.name], { dependencies: false }) },
    images,
    request,
  );
  const here = await localImages(context.client, { ...project, services: { [service.name]: service } });
  const containers = await listContainers(context.client, project.name);
  if (request.dependencies) await waitForDependencies(context, project, service);
  const slug = randomBytes(32).toString('hex');
  const name =
    service.container_name ?? [project.name, service.name, 'run', slug.slice(0, 12)].join(separatorOf(project));
  const resolved = resolveReferences(
    { ...service, container_name: name },
    (other) => containers.filter((each) => !isOneOff(each) && serviceOf(each) === other).toSorted(byName)[0]?.Id,
  );
  const call = createCall({
    project,
    service: resolved,
    number: 0,
    imageId: here.get(imageNameOf(project, service))?.id,
    links: linksOf(project, service, { number: 1, containers, isOneOff: true }),
    apiVersion: await context.client.apiVersion(),
    oneOff: { slug, isNamed: request.useAliases, autoRemove: request.autoRemove, attachStdin: request.interactive },
    proxies: context.proxies,
  });
  const id = await create(context, call, name);
  await writeFiles({ ...context, project }, resolved, id);
  return id;
}

async function startDependencies(context: Context, images: ImageDoor, request: RunRequest): Promise<void> {
  const needed = selectServices(context.project, [request.service]);
  const project = withoutService(needed, request.service);
  if (Object.keys(project.services).length === 0) return;
  const prepared = await prepare({ ...context, project }, images, {
    services: [],
    recreate: 'diverged',
    recreateDependencies: 'diverged',
    inherit: false,
    timeout: undefined,
    removeOrphans: request.removeOrphans,
    ignoreOrphans: request.ignoreOrphans,
    start: true,
    wait: false,
    build: request.build,
    dependencies: true,
    confirm: async () => false,
    now: request.now,
  });
  await prepared.applier.run(prepared.plan.create);
  await prepared.applier.run(prepared.plan.start);
}

async function waitForDependencies({ client, signal }: Context, project: Project, service: Service): Promise<void> {
  using happenings = new Happenings(client, project.name);
  const containers = await listContainers(client, project.name);
  for (const [name, { condition, required }] of Object.entries(service.depends_on ?? {})) {
    if (condition === 'service_started' || !(name in project.services)) continue;
    const ids = containers.filter((each) => !isOneOff(each) && serviceOf(each) === name).map(({ Id }) => Id);
    if (ids.length === 0) continue;
    try {
      await waitFor(client, ids, condition, happenings, signal);
    } catch (error) {
      if (required) throw error;
    }
  }
}

async function ensureImage(context: Context, images: ImageDoor, { service, build, now }: RunRequest): Promise<void> {
  const { project } = context;
  let here = await localImages(context.client, project);
  const pulls = neededPulls(project, here, now);
  if (pulls.length > 0) await images.pull(pulls, project);
  if (!build) return;
  here = await localImages(context.client, project);
  const builds = neededBuilds(project, here, { services: [service], dependencies: false });
  if (builds.length > 0) await images.build(builds, project);
}

function oneOffService(project: Project, own: Service, request: RunRequest): Service {
  const { restart: _, healthcheck: check, ...kept } = own;
  const without = (list: readonly string[] | undefined, gone: readonly string[]): string[] =>
    (list ?? []).filter((each) => !gone.includes(each));
  const command =
    request.command.length > 0 ? [...request.command] : request.entrypoint === undefined ? own.command : [];
  const environment = {
    ...own.environment,
    ...Object.fromEntries(
      Object.entries(request.environment).flatMap(([key, value]) => {
        const set = value ?? project.environment[key];
        return set === undefined ? [] : [[key, set]];
      }),
    ),
  };
  return {
    ...kept,
    ...(check === undefined ? {} : { healthcheck: check }),
    ...(own.deploy === undefined ? {} : { deploy: withoutRestart(own.deploy) }),
    tty: request.tty,
    stdin_open: request.interactive,
    command,
    entrypoint: request.entrypoint === undefined ? own.entrypoint : [...request.entrypoint],
    environment,
    labels: { ...own.labels, ...request.labels },
    scale: 1,
    ...(request.name === undefined ? {} : { container_name: request.name }),
    ...(request.user === undefined ? {} : { user: request.user }),
    ...(request.workingDir === undefined ? {} : { working_dir: request.workingDir }),
    cap_add: [...without(own.cap_add, request.capDrop), ...request.capAdd],
    cap_drop: [...without(own.cap_drop, request.capAdd), ...request.capDrop],
    ports: request.ports === undefined ? (own.ports ?? []) : [...request.ports],
    volumes: [...(own.volumes ?? []), ...request.volumes],
  };
}

function withoutRestart(deploy: NonNullable<Service['deploy']>): NonNullable<Service['deploy']> {
  const { restart_policy: _, ...rest } = deploy;
  return rest;
}
