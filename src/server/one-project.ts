/**
 * An engine that shows and touches one compose project only (label `com.docker.compose.project`): lists are filtered by it,
 * new objects carry it, references to anything else are not found. Images are shared by all projects: they can be looked at,
 * pulled and run, but only those that carry the label can be changed, and none can be built. What would let a container out of its project (host
 * paths, host namespaces, devices, privileges) is forbidden.
 */
import type {
  Builds,
  ContainerCreateBody,
  Containers,
  Engine,
  Execs,
  Filters,
  HostConfig,
  Images,
  Networks,
  System,
  Volumes,
} from '../api/index.ts';
import { Fault, faultKind } from '../std/index.ts';

const projectLabel = 'com.docker.compose.project';
type Labels = Record<string, string> | null | undefined;

export function projectEngine(engine: Engine, project: string): Engine {
  const scope = new Scope(engine, project);
  return {
    containers: scopedContainers(engine, scope),
    execs: scopedExecs(engine, scope),
    images: scopedImages(engine, scope),
    networks: scopedNetworks(engine, scope),
    volumes: scopedVolumes(engine, scope),
    builds: noBuilds(scope),
    baseImages: {
      list: () => engine.baseImages.list(),
      make: () => Promise.reject(scope.forbidden('make base images')),
    },
    system: scopedSystem(engine, scope),
  };
}

/** What belongs to the project, and the refusals for what does not. */
class Scope {
  readonly #engine: Engine;
  readonly #project: string;

  constructor(engine: Engine, project: string) {
    this.#engine = engine;
    this.#project = project;
  }

  owns(labels: Labels): boolean {
    return labels?.[projectLabel] === this.#project;
  }

  label(labels: Labels): Record<string, string> {
    return { ...labels, [projectLabel]: this.#project };
  }

  filter(filters: Filters): Filters {
    const labels = new Set(filters.get('label'));
    labels.add(`${projectLabel}=${this.#project}`);
    return new Map([...filters, ['label', labels]]);
  }

  forbidden(what: string): Fault {
    return new Fault(
      'forbidden',
      `Cannot ${what}: this socket serves only the project ${JSON.stringify(this.#project)}`,
    );
  }

  /** @returns the full id, so that a rename in between cannot change what is meant. */
  async container(ref: string): Promise<string> {
    const container = await this.#engine.containers.inspect(ref, { size: false });
    if (!this.owns(container.Config.Labels)) throw new Fault('not-found', `No such container: ${ref}`);
    return container.Id;
  }

  async network(ref: string): Promise<string> {
    const network = await this.#engine.networks.inspect(ref, { verbose: false, scope: undefined });
    if (!this.owns(network.Labels)) throw new Fault('not-found', `network ${ref} not found`);
    return network.Id;
  }

  async volume(name: string): Promise<string> {
    const volume = await this.#engine.volumes.inspect(name);
    if (!this.owns(volume.Labels)) throw new Fault('not-found', `get ${name}: no such volume`);
    return volume.Name;
  }

  async image(ref: string): Promise<string> {
    const image = await this.#engine.images.inspect(ref, {});
    if (!this.owns(image.Config?.Labels)) throw this.forbidden(`change image ${JSON.stringify(ref)}`);
    return ref;
  }

  /** A volume that exists must be the project's; one that does not is made the project's before it is used. */
  async claimVolume(name: string): Promise<void> {
    try {
      await this.volume(name);
    } catch (error) {
      if (faultKind(error) !== 'not-found') throw error;
      const volume = await this.#engine.volumes.create({ Name: name, Labels: this.label(undefined) });
      if (!this.owns(volume.Labels)) throw new Fault('not-found', `get ${name}: no such volume`, { cause: error });
    }
  }
}

function scopedContainers({ containers }: Engine, scope: Scope): Containers {
  return {
    list: (options) => containers.list({ ...options, filters: scope.filter(options.filters) }),
    create: async (options) => {
      const body = await admit(options.body, scope);
      return containers.create({ ...options, body });
    },
    inspect: async (ref, options) => containers.inspect(await scope.container(ref), options),
    start: async (ref) => containers.start(await scope.container(ref)),
    stop: async (ref, options) => containers.stop(await scope.container(ref), options),
    restart: async (ref, options) => containers.restart(await scope.container(ref), options),
    kill: async (ref, signal) => containers.kill(await scope.container(ref), signal),
    pause: async (ref) => containers.pause(await scope.container(ref)),
    unpause: async (ref) => containers.unpause(await scope.container(ref)),
    rename: async (ref, name) => containers.rename(await scope.container(ref), name),
    update: async (ref, body) => {
      if ((body.Devices?.length ?? 0) > 0 || (body.DeviceCgroupRules?.length ?? 0) > 0 || body.CgroupParent) {
        throw scope.forbidden('give a container devices or another cgroup');
      }
      return containers.update(await scope.container(ref), body);
    },
    remove: async (ref, options) => containers.remove(await scope.container(ref), options),
    prune: (filters) => containers.prune(scope.filter(filters)),
    wait: async (ref, condition, signal) => containers.wait(await scope.container(ref), condition, signal),
    attach: async (ref, options) => containers.attach(await scope.container(ref), options),
    resize: async (ref, size) => containers.resize(await scope.container(ref), size),
    logs: async (ref, options, signal) => containers.logs(await scope.container(ref), options, signal),
    stats: async (ref, options, signal) => containers.stats(await scope.container(ref), options, signal),
    top: async (ref, psArgs) => containers.top(await scope.container(ref), psArgs),
    changes: async (ref) => containers.changes(await scope.container(ref)),
    export: async (ref, signal) => containers.export(await scope.container(ref), signal),
    statPath: async (ref, path) => containers.statPath(await scope.container(ref), path),
    getArchive: async (ref, path, signal) => containers.getArchive(await scope.container(ref), path, signal),
    putArchive: async (ref, path, tar, options) =>
      containers.putArchive(await scope.container(ref), path, tar, options),
    commit: () => Promise.reject(scope.forbidden('commit')),
  };
}

/** The body with the project's label, once nothing in it leads out of the project. @throws Fault forbidden, not-found */
async function admit(body: ContainerCreateBody, scope: Scope): Promise<ContainerCreateBody> {
  const host = body.HostConfig ?? {};
  refuseEscapes(host, scope);
  for (const mode of [host.NetworkMode, host.PidMode, host.IpcMode]) {
    if (mode?.startsWith('container:')) await scope.container(mode.slice('container:'.length));
    else if (mode === host.NetworkMode && mode && !predefinedNetworks.has(mode)) await scope.network(mode);
  }
  for (const name of Object.keys(body.NetworkingConfig?.EndpointsConfig ?? {})) {
    if (!predefinedNetworks.has(name)) await scope.network(name);
  }
  for (const from of host.VolumesFrom ?? []) await scope.container(from.split(':')[0]!);
  for (const link of host.Links ?? []) await scope.container(link.split(':')[0]!);
  for (const name of volumeNames(host)) await scope.claimVolume(name);
  return { ...body, Labels: scope.label(body.Labels) };
}

const predefinedNetworks = new Set(['default', 'bridge', 'none']);

function refuseEscapes(host: HostConfig, scope: Scope): void {
  const filled = (list: readonly unknown[] | null | undefined): boolean => (list?.length ?? 0) > 0;
  const hostPath = [
    ...(host.Binds ?? []).map((bind) => bind.split(':')[0]!).filter((source) => source.startsWith('/')),
    ...(host.Mounts ?? []).filter((mount) => mount.Type === 'bind').map((mount) => mount.Source ?? ''),
  ][0];
  if (hostPath !== undefined) throw scope.forbidden(`mount the host's ${JSON.stringify(hostPath)}`);
  const driven = (host.Mounts ?? []).some((mount) => mount.VolumeOptions?.DriverConfig?.Options);
  if (driven || host.VolumeDriver) throw scope.forbidden('use volume drivers and their options');
  if (host.Privileged) throw scope.forbidden('run a privileged container');
  const shared = [host.NetworkMode, host.PidMode, host.IpcMode, host.UTSMode, host.UsernsMode, host.CgroupnsMode];
  if (shared.includes('host')) throw scope.forbidden("share the host's namespaces");
  if (filled(host.Devices) || filled(host.DeviceCgroupRules) || filled(host.DeviceRequests)) {
    throw scope.forbidden('give a container devices');
  }
  if (filled(host.CapAdd) || filled(host.SecurityOpt)) throw scope.forbidden('add capabilities or security options');
  if (host.MaskedPaths || host.ReadonlyPaths) throw scope.forbidden('uncover masked or read-only paths');
  if (host.CgroupParent) throw scope.forbidden('choose a cgroup');
}

function volumeNames(host: HostConfig): string[] {
  const bound = (host.Binds ?? []).map((bind) => bind.split(':')).filter((parts) => parts.length > 1);
  const mounted = (host.Mounts ?? []).filter((mount) => (mount.Type ?? 'volume') === 'volume' && mount.Source);
  return [...new Set([...bound.map((parts) => parts[0]!), ...mounted.map((mount) => mount.Source!)])];
}

function scopedExecs({ execs }: Engine, scope: Scope): Execs {
  const owned = async (id: string): Promise<string> => {
    const exec = await execs.inspect(id);
    try {
      await scope.container(exec.ContainerID);
    } catch (error) {
      throw new Fault('not-found', `No such exec instance: ${id}`, { cause: error });
    }
    return exec.ID;
  };
  return {
    create: async (ref, body) => {
      if (body.Privileged) throw scope.forbidden('run a privileged process');
      return execs.create(await scope.container(ref), body);
    },
    start: async (id, options) => execs.start(await owned(id), options),
    resize: async (id, size) => execs.resize(await owned(id), size),
    inspect: async (id) => execs.inspect(await owned(id)),
    tty: async (id) => execs.tty(await owned(id)),
  };
}

function scopedImages({ images }: Engine, scope: Scope): Images {
  const refuse = (what: string) => () => Promise.reject(scope.forbidden(what));
  return {
    list: (options) => images.list({ ...options, filters: scope.filter(options.filters) }),
    inspect: (ref, options) => images.inspect(ref, options),
    history: (ref, options) => images.history(ref, options),
    layers: (ref, options) => images.layers(ref, options),
    diff: (from, to, options, signal) => images.diff(from, to, options, signal),
    pull: (options, signal) => images.pull({ ...options, bootstrap: false }, signal),
    push: async (options, signal) => {
      await scope.image(options.tag === undefined ? options.image : `${options.image}:${options.tag}`);
      return images.push(options, signal);
    },
    import: refuse('import images'),
    load: refuse('load images'),
    save: async (refs, options, signal) => {
      for (const ref of refs) await scope.image(ref);
      return images.save(refs, options, signal);
    },
    tag: refuse('tag images'),
    remove: async (ref, options) => images.remove(await scope.image(ref), options),
    prune: (filters) => images.prune(scope.filter(filters)),
    search: (options) => images.search(options),
    distribution: (ref, auth, signal) => images.distribution(ref, auth, signal),
  };
}

function scopedNetworks({ networks }: Engine, scope: Scope): Networks {
  return {
    list: (filters) => networks.list(scope.filter(filters)),
    inspect: async (ref, options) => networks.inspect(await scope.network(ref), options),
    create: async (body) => {
      if ((body.Driver ?? 'bridge') !== 'bridge' && body.Driver !== '') {
        throw scope.forbidden(`create a network of driver ${JSON.stringify(body.Driver)}`);
      }
      if (body.ConfigFrom?.Network) await scope.network(body.ConfigFrom.Network);
      return networks.create({ ...body, Labels: scope.label(body.Labels) });
    },
    connect: async (ref, containerRef, endpoint) =>
      networks.connect(await scope.network(ref), await scope.container(containerRef), endpoint),
    disconnect: async (ref, containerRef, options) =>
      networks.disconnect(await scope.network(ref), await scope.container(containerRef), options),
    remove: async (ref) => networks.remove(await scope.network(ref)),
    prune: (filters) => networks.prune(scope.filter(filters)),
  };
}

function scopedVolumes({ volumes }: Engine, scope: Scope): Volumes {
  return {
    list: (filters) => volumes.list(scope.filter(filters)),
    inspect: async (name) => volumes.inspect(await scope.volume(name)),
    create: async (body) => {
      if (Object.keys(body.DriverOpts ?? {}).length > 0) throw scope.forbidden('use volume driver options');
      const volume = await volumes.create({ ...body, Labels: scope.label(body.Labels) });
      // Creating is idempotent: the name may have been another project's all along.
      if (!scope.owns(volume.Labels)) throw scope.forbidden(`use volume ${JSON.stringify(body.Name)}`);
      return volume;
    },
    remove: async (name, options) => volumes.remove(await scope.volume(name), options),
    trash: async () => {
      throw scope.forbidden('see removed volumes');
    },
    restore: async () => {
      throw scope.forbidden('restore volumes');
    },
    rename: async (name, to) => volumes.rename(await scope.volume(name), to),
    prune: (filters, options) => volumes.prune(scope.filter(filters), options),
  };
}

/** A build's steps share one cache and the host's network, and images are all projects': there is no part of it that is one project's. */
function noBuilds(scope: Scope): Builds {
  const refuse = (what: string) => () => Promise.reject(scope.forbidden(what));
  return {
    run: () => {
      throw scope.forbidden('build images');
    },
    release: () => {},
    failed: refuse('see failed builds'),
    debugImage: refuse('look into failed builds'),
    cache: refuse('see the build cache'),
    prune: refuse('prune the build cache'),
  };
}

function scopedSystem({ system }: Engine, scope: Scope): System {
  return {
    expect: () => system.expect(),
    version: () => system.version(),
    info: () => system.info(),
    diskUsage: async (types) => {
      const usage = await system.diskUsage(types);
      return {
        LayersSize: usage.LayersSize,
        Images: usage.Images.filter((image) => scope.owns(image.Labels)),
        Containers: usage.Containers.filter((container) => scope.owns(container.Labels)),
        Volumes: usage.Volumes.filter((volume) => scope.owns(volume.Labels)),
        BuildCache: [],
        BuilderSize: 0,
      };
    },
    events: (options, signal) => system.events({ ...options, filters: scope.filter(options.filters) }, signal),
    login: () => Promise.reject(scope.forbidden('log in to a registry')),
    space: () => Promise.reject(scope.forbidden('see what takes the disk')),
    verify: () => Promise.reject(scope.forbidden('verify the store')),
    metrics: () => Promise.reject(scope.forbidden('see the metrics of all containers')),
  };
}
