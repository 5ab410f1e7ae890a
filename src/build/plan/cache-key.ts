/**
 * What a step's result depends on, as one digest (`engine-api.md` §3.6). The same key twice means the result can be taken from the cache.
 * Not in it: names, places, times, proxies, the ids and sharing of caches, and what secrets hold.
 */
import { type Digest, sha256 } from '../../oci/index.ts';
import { inputsOf, type ExecMount, type ExecStep, type Step } from './step.ts';

/** Grows when the meaning of keys changes: old ones must not match then. */
const version = 1;

/** For each of `inputsOf(step)`: its own key, or the digest of what is read of it (mode, owner, link, extended attributes, content; no times). */
export type InputDigests = readonly (Digest | 'scratch')[];

/** What a RUN can see of where it runs. As in BuildKit its limits of memory and processors are not in it, nor where hosts are. */
export interface RunSurroundings {
  readonly ulimits: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[];
  readonly shmSize: number;
  readonly cgroupParent: string;
  /** `name:address`. */
  readonly extraHosts: readonly string[];
}

/** Sources are known by what they resolve to: an image's digest, a commit, a file's digest. */
export function stepKey(step: Exclude<Step, SourceLike>, inputs: InputDigests, surroundings?: RunSurroundings): Digest {
  const expected = inputsOf(step).length;
  if (inputs.length !== expected) throw new TypeError(`${step.id}: ${inputs.length} digests for ${expected} inputs`);
  const around = step.kind === 'exec' && surroundings !== undefined ? surroundingFacts(surroundings) : [];
  return sha256(Buffer.from(JSON.stringify([version, facts(step), inputs, ...around])));
}

/**
 * What of a result is read, known by how the result is made and not by what is in it: with this in place of contents, `stepKey` gives a key
 * before anything is done. Where a step reads only what sources have, it is the same key.
 */
export function definedPart(
  definition: Digest,
  part: { path: string; isPattern: boolean; withParents: boolean; exclude: readonly string[] },
): Digest {
  const { path, isPattern, withParents, exclude } = part;
  return sha256(JSON.stringify(['part', definition, path, isPattern, withParents, exclude]));
}

/** Of what goes on any base (`--link`), on that one. */
export function stackedKey(above: Digest, base: Digest | 'scratch'): Digest {
  return sha256(JSON.stringify(['stack', above, base]));
}

/** Nothing at all where nothing is said. */
function surroundingFacts({ ulimits, shmSize, cgroupParent, extraHosts }: RunSurroundings): unknown[] {
  if (ulimits.length === 0 && shmSize === 0 && cgroupParent === '' && extraHosts.length === 0) return [];
  const limits = ulimits.map(({ Name, Soft, Hard }) => [Name, Soft, Hard]);
  const hosts = extraHosts.map((each) => each.slice(0, each.indexOf(':')));
  return [[limits, shmSize, cgroupParent, hosts]];
}

/** A source's key, from what it was resolved to: a manifest's digest, a commit, a content digest. */
export function sourceKey(step: SourceLike, resolved: string): Digest {
  return sha256(
    Buffer.from(JSON.stringify([version, step.kind, step.kind === 'git' ? (step.subdirectory ?? '') : '', resolved])),
  );
}

type SourceLike = Extract<Step, { kind: 'image' | 'local' | 'http' | 'git' }>;

function facts(step: Exclude<Step, SourceLike>): unknown {
  switch (step.kind) {
    case 'mkdir':
      return ['mkdir', step.path, step.mode, step.owner ?? ''];
    case 'copy':
      return [
        'copy',
        step.destination,
        step.owner ?? '',
        step.mode ?? '',
        step.link,
        step.exclude,
        step.sources.map(sourceFacts),
      ];
    default:
      return execFacts(step);
  }
}

/** The name a file gets is the last part of its source's path; the folders before it leave no trace in the result. */
function sourceFacts(source: Extract<Step, { kind: 'copy' }>['sources'][number]): unknown {
  if (source.kind === 'inline') return ['inline', source.name, source.content];
  const name = source.keepParents || source.isPattern ? source.path : (source.path.split('/').at(-1) ?? '');
  return ['path', name, source.isPattern, source.unpack, source.keepParents];
}

function execFacts(step: ExecStep): unknown {
  return [
    'exec',
    step.args,
    step.env.entries(),
    step.workingDir,
    step.user,
    step.hostname ?? '',
    step.network,
    step.security,
    step.devices.map(({ name, required }) => [name, required]),
    step.script === undefined ? null : [step.script.path, step.script.content],
    step.mounts.map(mountFacts),
  ];
}

function mountFacts(mount: ExecMount): unknown {
  switch (mount.type) {
    case 'bind':
      return ['bind', mount.target, mount.readOnly, mount.readOnly ? '' : mount.source];
    case 'cache':
      return ['cache', mount.target, mount.source, mount.readOnly, ownerFacts(mount.owner)];
    case 'tmpfs':
      return ['tmpfs', mount.target, mount.size ?? 0];
    case 'secret':
      return ['secret', mount.id, mount.target ?? '', mount.env ?? '', mount.required, ownerFacts(mount)];
    default:
      return ['ssh', mount.id, mount.target, mount.required, ownerFacts(mount)];
  }
}

function ownerFacts(owner: { mode: number; uid: number; gid: number } | undefined): unknown {
  return owner === undefined ? null : [owner.mode, owner.uid, owner.gid];
}
