/** Which images can be made on this machine, by name: data and pure functions (issue 6, "Base images where no registry answers"). */
import { parseReference } from '../oci/index.ts';
import { Fault, messageOf } from '../std/index.ts';

/** What decides over names: of the machine that makes the images. */
export interface Host {
  /** Debian's name for its release ("bookworm"); undefined where the machine is no Debian. */
  suite: string | undefined;
  /** As Node calls it: x64, arm64. */
  architecture: string;
}

export type Recipe =
  | { kind: 'debian'; name: string; suite: string; isSlim: boolean }
  | { kind: 'busybox'; name: string }
  | { kind: 'node'; name: string; base: string; major: number; npm: number }
  | { kind: 'postgres'; name: string; base: string; major: number };

/** Debian's releases: their number, and the PostgreSQL that they have. */
const releases: Readonly<Record<string, { number: number; postgres: number }>> = {
  bullseye: { number: 11, postgres: 13 },
  bookworm: { number: 12, postgres: 15 },
  trixie: { number: 13, postgres: 17 },
};

/** Lines of Node that the npm registry has, and the npm that goes with each. */
const nodes: Readonly<Record<number, number>> = { 18: 10, 20: 10, 22: 10, 24: 11, 26: 11 };
const currentNode = 24;

/** Every name that can be made here, the usual one of each recipe first. */
export function catalogue(host: Host): { recipe: Recipe; names: readonly string[] }[] {
  const { suite } = host;
  const release = suite === undefined ? undefined : releases[suite];
  if (suite === undefined || release === undefined) return [];
  const debian = (isSlim: boolean): { recipe: Recipe; names: string[] } => {
    const suffix = isSlim ? '-slim' : '';
    const names = [`debian:${suite}${suffix}`, `debian:${release.number}${suffix}`, isSlim ? '' : 'debian:latest'];
    return { recipe: { kind: 'debian', name: names[0]!, suite, isSlim }, names: names.filter(Boolean) };
  };
  const node = (major: number, npm: number, isSlim: boolean): { recipe: Recipe; names: string[] } => {
    const suffix = isSlim ? '-slim' : '';
    const tags = [String(major), ...(major === currentNode ? ['lts'] : [])];
    const names = tags.flatMap((tag) => [`node:${tag}${suffix}`, `node:${tag}-${suite}${suffix}`]);
    if (major === currentNode && !isSlim) names.push('node:latest');
    return { recipe: { kind: 'node', name: names[0]!, base: `debian:${suite}${suffix}`, major, npm }, names };
  };
  const hasNode = host.architecture === 'x64' || host.architecture === 'arm64';
  const name = `postgres:${release.postgres}`;
  return [
    debian(true),
    debian(false),
    { recipe: { kind: 'busybox', name: 'busybox:latest' }, names: ['busybox:latest', 'busybox:stable'] },
    ...(hasNode
      ? Object.entries(nodes).flatMap(([major, npm]) => [
          node(Number(major), npm, true),
          node(Number(major), npm, false),
        ])
      : []),
    {
      recipe: { kind: 'postgres', name, base: `debian:${suite}-slim`, major: release.postgres },
      names: [name, `${name}-${suite}`],
    },
  ];
}

/** The recipe for a name as people write it, and that name in full. @throws Fault invalid, not-found with what there is */
export function recipeFor(given: string, host: Host): { recipe: Recipe; name: string } {
  const name = officialName(given);
  if (host.suite === undefined || releases[host.suite] === undefined)
    throw new Fault(
      'not-found',
      `Cannot make ${given}: base images are made from the packages of a Debian release, and this machine has none of ${Object.keys(releases).join(', ')}`,
    );
  const found = catalogue(host).find(({ names }) => name !== undefined && names.includes(name));
  if (found !== undefined && name !== undefined) return { recipe: found.recipe, name };
  const repository = name?.split(':')[0];
  const same = catalogue(host).flatMap(({ names }) => names.filter((each) => each.split(':')[0] === repository));
  const hint = same.length === 0 ? "see 'wherry image bootstrap --list'" : `there are ${same.join(', ')}`;
  throw new Fault('not-found', `Cannot make ${given} on ${host.suite}: ${hint}`);
}

/** The short form of a name that can be made here; undefined for any other. */
export function makeableName(given: string, host: Host): string | undefined {
  try {
    return recipeFor(given, host).name;
  } catch {
    return undefined;
  }
}

/** `repository:tag` of an official image of Docker's registry; undefined for any other. @throws Fault invalid */
function officialName(given: string): string | undefined {
  const { domain, path, tag, digest } = parsed(given);
  if (domain !== 'docker.io' || !path.startsWith('library/') || digest !== undefined) return undefined;
  return `${path.slice('library/'.length)}:${tag ?? 'latest'}`;
}

function parsed(given: string): ReturnType<typeof parseReference> {
  try {
    return parseReference(given);
  } catch (error) {
    throw new Fault('invalid', messageOf(error), { cause: error });
  }
}
