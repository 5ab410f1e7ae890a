/** Volumes, binds, secrets and configs of a service as an engine is asked for them: simple ones as binds, others as mounts. */
import { isAbsolute, resolve } from 'node:path';
import type { MountPoint, MountPointInput } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import type { FileObject, FileReference, Project, Service, ServiceVolume } from '../project.ts';

export interface Mounts {
  Binds: string[];
  Mounts: MountPointInput[];
}

/** What a container that takes another's place finds again: volumes that nobody gave a name. */
export interface Inherited {
  mounts: readonly MountPoint[];
  /** The image's VOLUMEs. */
  imageVolumes: ReadonlySet<string>;
}

export function mountsOf(project: Project, service: Service, inherited: Inherited | undefined): Mounts {
  const anonymous = inherited === undefined ? new Map<string, MountPointInput>() : inheritedMounts(service, inherited);
  const result: Mounts = { Binds: [], Mounts: [] };
  const taken = new Set<string>();
  for (const volume of service.volumes ?? []) {
    if (anonymous.has(volume.target) && sourceOf(volume) === '') continue;
    taken.add(volume.target);
    const bind = bindText(project, volume);
    if (bind === undefined) result.Mounts.push(mountOf(project, volume));
    else result.Binds.push(bind);
  }
  for (const [target, mount] of anonymous) {
    if (taken.has(target)) continue;
    taken.add(target);
    result.Mounts.push(mount);
  }
  for (const volume of [...secretFiles(project, service), ...configFiles(project, service)]) {
    if (taken.has(volume.target)) continue;
    taken.add(volume.target);
    result.Mounts.push(mountOf(project, volume));
  }
  return result;
}

function inheritedMounts(service: Service, { mounts, imageVolumes }: Inherited): Map<string, MountPointInput> {
  const isAnonymous = (target: string): boolean =>
    imageVolumes.has(target) ||
    (service.volumes ?? []).some((volume) => volume.target === target && sourceOf(volume) === '');
  return new Map(
    mounts
      .filter(({ Type, Destination }) => Type !== 'tmpfs' && isAnonymous(Destination))
      .map(({ Type, Name, Source, Destination, RW }) => [
        Destination,
        { Type, Source: Type === 'volume' ? Name! : Source, Target: Destination, ...(RW ? {} : { ReadOnly: true }) },
      ]),
  );
}

function sourceOf({ source }: ServiceVolume): string {
  return source ?? '';
}

/** `source:target:rw`, which also makes a folder that is missing; undefined where that does not say all. */
function bindText(project: Project, volume: ServiceVolume): string | undefined {
  const { type, target, read_only: readOnly, bind, volume: options } = volume;
  const source = sourceOf(volume);
  const words = [readOnly === true ? 'ro' : 'rw', ...(bind?.selinux ? [bind.selinux] : [])];
  if (type === 'bind') {
    if (bind !== undefined && (bind.create_host_path !== true || bind.propagation || bind.recursive)) return undefined;
    return `${hostPath(source)}:${target}:${words.join(',')}`;
  }
  if (type !== 'volume' || source === '') return undefined;
  const named = project.volumes[source];
  const isSimple =
    options === undefined || !(Object.keys(options.labels ?? {}).length > 0 || options.subpath || options.nocopy);
  return named !== undefined && isSimple ? `${named.name}:${target}:${words.join(',')}` : undefined;
}

function hostPath(source: string): string {
  return isAbsolute(source) || /^[a-zA-Z]:[\\/]/.test(source) ? source : resolve(source);
}

function mountOf(project: Project, volume: ServiceVolume): MountPointInput {
  const { type, target, read_only: readOnly = false, consistency, bind, volume: options, tmpfs, image } = volume;
  const source = sourceOf(volume);
  const mount: MountPointInput = {
    Type: type,
    Source: type === 'bind' ? hostPath(source) : type === 'volume' ? (project.volumes[source]?.name ?? source) : source,
    Target: target,
    ...(readOnly ? { ReadOnly: true } : {}),
    ...(consistency === undefined ? {} : { Consistency: consistency }),
  };
  if (type === 'bind' && bind !== undefined)
    mount.BindOptions = {
      ...(bind.propagation ? { Propagation: bind.propagation } : {}),
      ...(bind.create_host_path === true ? { CreateMountpoint: true } : {}),
      ...(bind.recursive === 'disabled' ? { NonRecursive: true } : {}),
      ...(bind.recursive === 'writable' ? { ReadOnlyNonRecursive: true } : {}),
      ...(bind.recursive === 'readonly' ? { ReadOnlyForceRecursive: true } : {}),
    };
  if (type === 'volume' && options !== undefined)
    mount.VolumeOptions = {
      ...(options.nocopy === true ? { NoCopy: true } : {}),
      ...(options.subpath ? { Subpath: options.subpath } : {}),
      ...(options.labels === undefined ? {} : { Labels: options.labels }),
    };
  if (type === 'tmpfs' && tmpfs !== undefined)
    mount.TmpfsOptions = {
      ...(tmpfs.size === undefined ? {} : { SizeBytes: tmpfs.size }),
      ...(tmpfs.mode === undefined ? {} : { Mode: tmpfs.mode }),
    };
  if (type === 'image' && image !== undefined) mount.ImageOptions = image.subpath ? { Subpath: image.subpath } : {};
  return mount;
}

export type FileKind = 'secret' | 'config';

/** A secret or config of a service with what it is made of. */
export interface ServiceFile {
  kind: FileKind;
  reference: FileReference;
  object: FileObject;
  /** Absolute, in the container. */
  target: string;
}

const folders: Readonly<Record<FileKind, string>> = { secret: '/run/secrets/', config: '/' };

/** @throws Fault invalid for what only Swarm has */
export function filesOf(project: Project, service: Service): ServiceFile[] {
  const all = (kind: FileKind, references: readonly FileReference[], objects: Readonly<Record<string, FileObject>>) =>
    references.map((reference): ServiceFile => {
      const object = objects[reference.source] ?? { name: reference.source };
      const { target = reference.source } = reference;
      if (object.external === true) throw new Fault('invalid', `unsupported external ${kind} ${object.name}`);
      for (const key of ['driver', 'template_driver'] as const)
        if (object[key] !== undefined) throw new Fault('invalid', `Docker Compose does not support ${kind}s.*.${key}`);
      return { kind, reference, object, target: target.startsWith('/') ? target : `${folders[kind]}${target}` };
    });
  return [
    ...all('secret', service.secrets ?? [], project.secrets),
    ...all('config', service.configs ?? [], project.configs),
  ];
}

/**
 * Whether a file is written into the container before it starts, not bound: what has no file on the host, and what is to have another
 * owner or mode than the host's. A read-only container can only have it bound.
 */
export function isWritten({ reference: { uid, gid, mode }, object }: ServiceFile, service: Service): boolean {
  if (object.file === undefined) return true;
  return service.read_only !== true && (uid !== undefined || gid !== undefined || mode !== undefined);
}

function secretFiles(project: Project, service: Service): ServiceVolume[] {
  return boundFiles(project, service, 'secret');
}

function configFiles(project: Project, service: Service): ServiceVolume[] {
  return boundFiles(project, service, 'config');
}

function boundFiles(project: Project, service: Service, kind: FileKind): ServiceVolume[] {
  return filesOf(project, service)
    .filter((file) => file.kind === kind && !isWritten(file, service))
    .map(({ object, target }) => ({
      type: 'bind',
      source: object.file!,
      target,
      read_only: true,
      bind: { create_host_path: false },
    }));
}
