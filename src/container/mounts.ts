/** Binds, Mounts, Tmpfs, Volumes and VolumesFrom, as clients write them, to one list of mounts. Pure. */
import { posix } from 'node:path';
import type { ContainerConfig, HostConfig, MountPoint, MountPointInput } from '../api/index.ts';
import { Fault, randomId } from '../std/index.ts';
import { parseIdMap } from './id-map-option.ts';
import type { ContainerMount, ContainerRecord } from './record.ts';

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];

const blank: Omit<ContainerMount, 'type' | 'destination' | 'source'> = {
  readOnly: false,
  mode: '',
  propagation: '',
  anonymous: false,
  noCopy: false,
  subpath: '',
  driver: '',
  options: [],
  nonRecursive: false,
  readOnlyNonRecursive: false,
  readOnlyForceRecursive: false,
  createSource: false,
};

export interface MountContext {
  /** Finds the record behind a --volumes-from name. @throws Fault not-found */
  container: (ref: string) => ContainerRecord;
  /** Whether a host path exists (Mounts of type bind must). */
  hostPathExists: (path: string) => boolean;
  /** The image's own volumes are in `config.Volumes` already. */
  volumeDriver: string;
}

/** Later sources win over earlier ones for the same destination, as in Docker: VolumesFrom, Binds, Mounts, Tmpfs, then anonymous volumes for what is left. @throws Fault invalid */
export function resolveMounts(config: ContainerConfig, host: HostConfig, context: MountContext): ContainerMount[] {
  const mounts = new Map<string, ContainerMount>();
  for (const spec of host.VolumesFrom ?? []) {
    for (const mount of mountsFrom(spec, context)) mounts.set(mount.destination, mount);
  }
  const explicit = new Set<string>();
  const add = (mount: ContainerMount): void => {
    if (explicit.has(mount.destination)) throw new Fault('invalid', `Duplicate mount point: ${mount.destination}`);
    explicit.add(mount.destination);
    mounts.set(mount.destination, mount);
  };
  for (const bind of host.Binds ?? []) add(parseBind(bind, context.volumeDriver));
  for (const input of host.Mounts ?? []) add(parseMount(input, context));
  for (const [destination, options] of Object.entries(host.Tmpfs ?? {})) {
    add(tmpfsMount(cleanDestination(destination), options, undefined));
  }
  for (const volume of Object.keys(config.Volumes ?? {})) {
    const destination = cleanDestination(volume);
    if (mounts.has(destination)) continue;
    mounts.set(destination, {
      ...blank,
      type: 'volume',
      destination,
      source: randomId(),
      anonymous: true,
      driver: context.volumeDriver || 'local',
    });
  }
  return [...mounts.values()];
}

function cleanDestination(path: string): string {
  if (!path.startsWith('/')) throw new Fault('invalid', `invalid mount path: '${path}' mount path must be absolute`);
  const clean = posix.normalize(path).replace(/(?<=.)\/$/, '');
  if (clean === '/') throw new Fault('invalid', `invalid volume specification: destination can't be '/'`);
  return clean;
}

function mountsFrom(spec: string, context: MountContext): ContainerMount[] {
  const colon = spec.lastIndexOf(':');
  const mode = colon > 0 ? spec.slice(colon + 1) : 'rw';
  const ref = colon > 0 ? spec.slice(0, colon) : spec;
  if (ref === '') throw new Fault('invalid', 'empty container name in volumes-from');
  for (const word of mode.split(',')) {
    if (!['rw', 'ro', 'z', 'Z', 'nocopy', ''].includes(word)) throw new Fault('invalid', `invalid mode: ${mode}`);
  }
  const readOnly = mode.split(',').includes('ro');
  return context
    .container(ref)
    .mounts.map((mount) => ({ ...mount, anonymous: false, readOnly: readOnly || mount.readOnly }));
}

/** `src:dst[:mode]`, `name:dst[:mode]` or `dst` (anonymous). Exported for tests. @throws Fault invalid */
export function parseBind(spec: string, volumeDriver: string): ContainerMount {
  const parts = spec.split(':');
  const invalid = (): Fault => new Fault('invalid', `invalid volume specification: '${spec}'`);
  if (parts.length > 3 || parts.some((part) => part === '')) throw invalid();
  const [source = '', destination, mode = ''] = parts;
  if (destination === undefined) {
    return {
      ...blank,
      type: 'volume',
      destination: cleanDestination(source),
      source: randomId(),
      anonymous: true,
      driver: volumeDriver || 'local',
    };
  }
  if (!destination.startsWith('/')) {
    throw new Fault(
      'invalid',
      `invalid volume specification: '${spec}': invalid mount config for type "${source.startsWith('/') ? 'bind' : 'volume'}": invalid mount path: '${destination}' mount path must be absolute`,
    );
  }
  const words = mode === '' ? [] : mode.split(',');
  const isBind = source.startsWith('/');
  if (posix.normalize(destination) === '/') {
    throw new Fault(
      'invalid',
      `invalid volume specification: '${spec}': invalid mount config for type "${isBind ? 'bind' : 'volume'}": invalid specification: destination can't be '/'`,
    );
  }
  let propagation = '';
  let readOnly = false;
  let noCopy = false;
  let nonRecursive = false;
  let idMap: ContainerMount['idMap'];
  const seen = new Set<string>();
  for (const word of words) {
    const group = ['ro', 'rw'].includes(word)
      ? 'access'
      : ['z', 'Z'].includes(word)
        ? 'label'
        : propagations.includes(word)
          ? 'propagation'
          : word;
    if (seen.has(group)) throw new Fault('invalid', `invalid mode: ${mode}`);
    seen.add(group);
    if (word === 'ro') readOnly = true;
    else if (word === 'rw' || word === 'z' || word === 'Z') continue;
    else if (isBind && propagations.includes(word)) propagation = word;
    else if (!isBind && word === 'nocopy') noCopy = true;
    else if (!isBind && word === 'copy') noCopy = false;
    else if (isBind && word === 'non-recursive') nonRecursive = true;
    else if (word === 'idmap' || word.startsWith('idmap=')) idMap = parseIdMap(word);
    else if (['cached', 'delegated', 'consistent', 'default'].includes(word)) continue;
    else throw new Fault('invalid', `invalid mode: ${mode}`);
  }
  const target = cleanDestination(destination);
  const common = { ...blank, destination: target, readOnly, mode, ...(idMap === undefined ? {} : { idMap }) };
  if (isBind) {
    return {
      ...common,
      type: 'bind',
      source: posix.normalize(source).replace(/(?<=.)\/$/, ''),
      propagation: propagation || 'rprivate',
      nonRecursive,
      createSource: true,
    };
  }
  checkVolumeName(source);
  return { ...common, type: 'volume', source, noCopy, driver: volumeDriver || 'local', mode: mode === '' ? 'z' : mode };
}

function checkVolumeName(name: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) return;
  throw new Fault(
    'invalid',
    `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
  );
}

function parseMount(input: MountPointInput, context: MountContext): ContainerMount {
  const type = input.Type ?? '';
  const wrong = (detail: string): Fault => new Fault('invalid', `invalid mount config for type "${type}": ${detail}`);
  if (!input.Target) throw wrong('field Target must not be empty');
  if (!input.Target.startsWith('/')) throw wrong(`invalid mount path: '${input.Target}' mount path must be absolute`);
  const destination = cleanDestination(input.Target);
  const readOnly = input.ReadOnly ?? false;
  const exclusive = (field: string, present: unknown): void => {
    if (present !== undefined && present !== null) throw wrong(`field ${field} must not be specified`);
  };
  const common = { ...blank, destination, readOnly, input };
  switch (type) {
    case 'bind': {
      exclusive('VolumeOptions', input.VolumeOptions);
      exclusive('TmpfsOptions', input.TmpfsOptions);
      exclusive('ImageOptions', input.ImageOptions);
      if (!input.Source) throw wrong('field Source must not be empty');
      if (!input.Source.startsWith('/'))
        throw wrong(`invalid mount path: '${input.Source}' mount path must be absolute`);
      const options = input.BindOptions ?? {};
      if (options.Propagation && !propagations.includes(options.Propagation))
        throw wrong(`invalid propagation mode: ${options.Propagation}`);
      const create = options.CreateMountpoint ?? false;
      if (!create && !context.hostPathExists(input.Source))
        throw wrong(`bind source path does not exist: ${input.Source}`);
      return {
        ...common,
        type: 'bind',
        source: posix.normalize(input.Source).replace(/(?<=.)\/$/, ''),
        propagation: options.Propagation || 'rprivate',
        nonRecursive: options.NonRecursive ?? false,
        readOnlyNonRecursive: options.ReadOnlyNonRecursive ?? false,
        readOnlyForceRecursive: options.ReadOnlyForceRecursive ?? false,
        createSource: create,
      };
    }
    case 'volume': {
      exclusive('BindOptions', input.BindOptions);
      exclusive('TmpfsOptions', input.TmpfsOptions);
      exclusive('ImageOptions', input.ImageOptions);
      const options = input.VolumeOptions ?? {};
      if (input.Source) checkVolumeName(input.Source);
      else if (options.Subpath) throw wrong('must not set Subpath when using anonymous volumes');
      if (options.Subpath && (options.Subpath.startsWith('/') || options.Subpath.split('/').includes('..'))) {
        throw wrong('subpath must be a relative path within the volume');
      }
      return {
        ...common,
        type: 'volume',
        source: input.Source || randomId(),
        anonymous: !input.Source,
        noCopy: options.NoCopy ?? false,
        subpath: options.Subpath ?? '',
        driver: options.DriverConfig?.Name || 'local',
        mode: 'z',
      };
    }
    case 'tmpfs': {
      exclusive('BindOptions', input.BindOptions);
      exclusive('VolumeOptions', input.VolumeOptions);
      exclusive('ImageOptions', input.ImageOptions);
      if (input.Source) throw wrong('field Source must not be specified');
      const words: string[] = [];
      if (input.TmpfsOptions?.SizeBytes) words.push(`size=${input.TmpfsOptions.SizeBytes}`);
      if (input.TmpfsOptions?.Mode) words.push(`mode=${input.TmpfsOptions.Mode.toString(8)}`);
      for (const option of input.TmpfsOptions?.Options ?? []) words.push(option.join('='));
      if (readOnly) words.push('ro');
      return { ...tmpfsMount(destination, words.join(','), input), readOnly };
    }
    case 'image': {
      exclusive('BindOptions', input.BindOptions);
      exclusive('VolumeOptions', input.VolumeOptions);
      exclusive('TmpfsOptions', input.TmpfsOptions);
      if (!input.Source) throw wrong('field Source must not be empty');
      return {
        ...common,
        type: 'image',
        source: input.Source,
        subpath: input.ImageOptions?.Subpath ?? '',
        readOnly: true,
      };
    }
    default:
      throw new Fault(
        'invalid',
        type === ''
          ? 'invalid mount config: mount type must be specified'
          : `invalid mount config for type "${type}": mount type unknown`,
      );
  }
}

const tmpfsWords = new Set(
  'ro rw defaults suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime noatime diratime nodiratime bind rbind unbindable runbindable private rprivate shared rshared slave rslave relatime norelatime strictatime nostrictatime'.split(
    ' ',
  ),
);
const tmpfsKeys = new Set(['mode', 'uid', 'gid', 'size', 'nr_inodes', 'nr_blocks', 'mpol', 'huge']);

function tmpfsMount(destination: string, options: string, input: MountPointInput | undefined): ContainerMount {
  const words = options === '' ? [] : options.split(',');
  for (const word of words) {
    const key = word.split('=')[0]!;
    if (!tmpfsWords.has(word) && !tmpfsKeys.has(key))
      throw new Fault('invalid', `invalid tmpfs option ${JSON.stringify(word)}`);
  }
  return {
    ...blank,
    type: 'tmpfs',
    destination,
    source: '',
    options: words,
    readOnly: words.includes('ro'),
    ...(input === undefined ? {} : { input }),
  };
}

/** What inspect and list show. tmpfs from --tmpfs is in HostConfig only, as in Docker; a tmpfs Mount is shown. */
export function mountPoints(mounts: readonly ContainerMount[], volumePath: (name: string) => string): MountPoint[] {
  return mounts
    .filter((mount) => mount.type !== 'tmpfs' || mount.input !== undefined)
    .map((mount): MountPoint => {
      switch (mount.type) {
        case 'bind':
          return {
            Type: 'bind',
            Source: mount.source,
            Destination: mount.destination,
            Mode: mount.mode,
            RW: !mount.readOnly,
            Propagation: mount.propagation,
          };
        case 'volume':
          return {
            Type: 'volume',
            Name: mount.source,
            Source: volumePath(mount.source),
            Destination: mount.destination,
            Driver: mount.driver,
            Mode: mount.mode,
            RW: !mount.readOnly,
            Propagation: '',
          };
        case 'image':
          return {
            Type: 'image',
            Source: mount.source,
            Destination: mount.destination,
            Mode: '',
            RW: false,
            Propagation: '',
          };
        default:
          return {
            Type: 'tmpfs',
            Source: '',
            Destination: mount.destination,
            Mode: '',
            RW: !mount.readOnly,
            Propagation: '',
          };
      }
    });
}
