/** `--mount` to the API's mount. */
import { resolve } from 'node:path';
import type { MountPointInput } from '../../api/index.ts';
import { parseBytes } from '../../std/index.ts';
import { parseBoolean } from '../flag/value.ts';
import { csvFields } from './csv.ts';

interface Draft extends MountPointInput {
  Type: string;
}

/** @returns a text when it is wrong, in Docker's words. */
export function parseMount(value: string, cwd = process.cwd()): MountPointInput | string {
  const mount: Draft = { Type: 'volume' };
  for (const field of csvFields(value)) {
    const wrong = takeField(mount, field, value);
    if (wrong !== undefined) return wrong;
  }
  if (mount.Type === '') return 'type is required';
  if (mount.Target === undefined || mount.Target === '') return 'target is required';
  if (mount.VolumeOptions != null && mount.Type !== 'volume')
    return `cannot mix 'volume-*' options with mount type '${mount.Type}'`;
  if (mount.BindOptions != null && mount.Type !== 'bind')
    return `cannot mix 'bind-*' options with mount type '${mount.Type}'`;
  if (mount.TmpfsOptions != null && mount.Type !== 'tmpfs')
    return `cannot mix 'tmpfs-*' options with mount type '${mount.Type}'`;
  if (mount.ImageOptions != null && mount.Type !== 'image')
    return `cannot mix 'image-*' options with mount type '${mount.Type}'`;
  if (mount.Type === 'bind' && /^\.{1,2}(\/|$)/.test(mount.Source ?? '')) mount.Source = resolve(cwd, mount.Source!);
  return mount;
}

function takeField(mount: Draft, field: string, whole: string): string | undefined {
  const equals = field.indexOf('=');
  const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase().trim();
  const text = equals < 0 ? undefined : field.slice(equals + 1);
  if (text === undefined) {
    if (key === 'readonly' || key === 'ro') mount.ReadOnly = true;
    else if (key === 'volume-nocopy') mount.VolumeOptions = { ...mount.VolumeOptions, NoCopy: true };
    else if (key === 'bind-nonrecursive') return 'bind-nonrecursive is deprecated, use bind-recursive=disabled instead';
    else return `invalid field '${field}' must be a key=value pair`;
    return undefined;
  }
  switch (key) {
    case 'type':
      mount.Type = text.toLowerCase();
      return undefined;
    case 'source':
    case 'src':
      mount.Source = text;
      return undefined;
    case 'target':
    case 'dst':
    case 'destination':
      mount.Target = text;
      return undefined;
    case 'readonly':
    case 'ro': {
      const on = parseBoolean(text);
      if (on === undefined) return `invalid value for ${key}: ${text}`;
      mount.ReadOnly = on;
      return undefined;
    }
    case 'consistency':
      mount.Consistency = text.toLowerCase();
      return undefined;
    default:
      return takeOption(mount, key, text, whole);
  }
}

function takeOption(mount: Draft, key: string, text: string, whole: string): string | undefined {
  switch (key) {
    case 'bind-propagation':
      mount.BindOptions = { ...mount.BindOptions, Propagation: text.toLowerCase() };
      return undefined;
    case 'bind-nonrecursive': {
      const on = parseBoolean(text);
      if (on === undefined) return `invalid value for ${key}: ${text}`;
      mount.BindOptions = { ...mount.BindOptions, NonRecursive: on };
      return undefined;
    }
    case 'bind-recursive':
      return takeRecursive(mount, text, whole);
    case 'volume-nocopy': {
      const on = parseBoolean(text);
      if (on === undefined) return `invalid value for volume-nocopy: ${text}`;
      mount.VolumeOptions = { ...mount.VolumeOptions, NoCopy: on };
      return undefined;
    }
    case 'volume-subpath':
      mount.VolumeOptions = { ...mount.VolumeOptions, Subpath: text };
      return undefined;
    case 'volume-label':
      mount.VolumeOptions = { ...mount.VolumeOptions, Labels: { ...mount.VolumeOptions?.Labels, ...pair(text) } };
      return undefined;
    case 'volume-driver':
      mount.VolumeOptions = {
        ...mount.VolumeOptions,
        DriverConfig: { ...mount.VolumeOptions?.DriverConfig, Name: text },
      };
      return undefined;
    case 'volume-opt': {
      const driver = mount.VolumeOptions?.DriverConfig;
      const DriverConfig = { ...driver, Options: { ...driver?.Options, ...pair(text) } };
      mount.VolumeOptions = { ...mount.VolumeOptions, DriverConfig };
      return undefined;
    }
    case 'image-subpath':
      mount.ImageOptions = { ...mount.ImageOptions, Subpath: text };
      return undefined;
    case 'tmpfs-size': {
      const size = parseBytes(text);
      if (size === undefined) return `invalid value for ${key}: ${text}`;
      mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: size };
      return undefined;
    }
    case 'tmpfs-mode':
      if (!/^[0-7]+$/.test(text)) return `invalid value for ${key}: ${text}`;
      mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(text, 8) };
      return undefined;
    default:
      return `unexpected key '${key}' in '${key}=${text}'`;
  }
}

function takeRecursive(mount: Draft, text: string, whole: string): string | undefined {
  switch (text) {
    case 'enabled':
      return undefined;
    case 'disabled':
      mount.BindOptions = { ...mount.BindOptions, NonRecursive: true };
      return undefined;
    case 'writable':
    case 'readonly': {
      if (!/(^|,)(readonly|ro)(=true|=1|,|$)/.test(whole))
        return `option 'bind-recursive=${text}' requires 'readonly' to be specified in conjunction`;
      if (text === 'writable') mount.BindOptions = { ...mount.BindOptions, ReadOnlyNonRecursive: true };
      else {
        if (!/bind-propagation=rprivate/.test(whole)) {
          return "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction";
        }
        mount.BindOptions = { ...mount.BindOptions, ReadOnlyForceRecursive: true };
      }
      return undefined;
    }
    default:
      return `invalid value for bind-recursive: ${text} (must be "enabled", "disabled", "writable", or "readonly")`;
  }
}

function pair(text: string): Record<string, string> {
  const equals = text.indexOf('=');
  return equals < 0 ? { [text]: '' } : { [text.slice(0, equals)]: text.slice(equals + 1) };
}
