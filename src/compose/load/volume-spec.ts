/** `[SOURCE:]TARGET[:OPTIONS]`: a service's volume in one word. */
import { Fault } from '../../std/index.ts';

export interface VolumeSpec {
  type: 'bind' | 'volume';
  source?: string;
  target: string;
  read_only?: boolean;
  bind?: { selinux?: string; propagation?: string; create_host_path?: boolean };
  volume?: { nocopy?: boolean };
}

const propagations: ReadonlySet<string> = new Set(['rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave']);

/** @throws Fault invalid */
export function parseVolumeSpec(spec: string): VolumeSpec {
  if (spec === '') throw new Fault('invalid', 'invalid empty volume spec');
  if (spec.length <= 2) return { type: 'volume', target: spec };
  const parts = split(spec);
  if (parts.includes('')) throw new Fault('invalid', `invalid spec: ${spec}: empty section between colons`);
  if (parts.length > 3) throw new Fault('invalid', `invalid spec: ${spec}: too many colons`);
  const [first, second, options] = parts as [string, string | undefined, string | undefined];
  const volume: VolumeSpec =
    second === undefined
      ? { type: 'volume', target: first }
      : { type: isPath(first) ? 'bind' : 'volume', source: first, target: second };
  for (const option of options?.split(',') ?? []) apply(volume, option);
  if (volume.type === 'bind') (volume.bind ??= {}).create_host_path = true;
  else volume.volume ??= {};
  return volume;
}

function apply(volume: VolumeSpec, option: string): void {
  if (option === 'ro') volume.read_only = true;
  else if (option === 'rw') delete volume.read_only;
  else if (option === 'nocopy') volume.volume = { nocopy: true };
  else if (option === 'z' || option === 'Z') (volume.bind ??= {}).selinux = option;
  else if (propagations.has(option)) (volume.bind ??= {}).propagation = option;
}

/** At colons, but not at that of a Windows drive or of a variable that was left in. */
function split(spec: string): string[] {
  const parts: string[] = [];
  let part = '';
  let depth = 0;
  for (let at = 0; at < spec.length; at++) {
    const character = spec[at]!;
    if (character === '$' && spec[at + 1] === '{') depth++;
    else if (character === '}' && depth > 0) depth--;
    if (character !== ':' || depth > 0 || (part.length === 1 && /\p{L}/u.test(part))) part += character;
    else {
      parts.push(part);
      part = '';
    }
  }
  return [...parts, part];
}

function isPath(source: string): boolean {
  return /^(?:[./~]|\\\\|\p{L}:)/u.test(source);
}
