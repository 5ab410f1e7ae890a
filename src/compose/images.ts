/** The images a project needs: which are here, which are to be fetched, and which are to be built. */
import { Fault, parseGoDuration } from '../std/index.ts';
import type { Client } from '../client/index.ts';
import { imageNameOf } from './names.ts';
import { orUndefined } from './observe.ts';
import type { Project, Service } from './project.ts';
import { reach } from './select.ts';

export interface LocalImage {
  id: string;
  /** Milliseconds since the epoch. */
  tagged: number;
  /** "linux/amd64". */
  platform: string;
}

/** One image, and the services that want it. */
export interface Pull {
  image: string;
  service: string;
  platform: string | undefined;
  because: string;
  /** Built when it cannot be had. */
  isBuildable: boolean;
}

export interface Build {
  service: Service;
  image: string;
  because: string;
}

/** By name; those that are not here are missing. */
export async function localImages(client: Client, project: Project): Promise<Map<string, LocalImage>> {
  const services = Object.values(project.services).filter(({ provider }) => provider === undefined);
  const mounted = services.flatMap(({ volumes = [] }) =>
    volumes.flatMap(({ type, source }) => (type === 'image' ? (source ?? []) : [])),
  );
  const names = new Set([...services.map((service) => imageNameOf(project, service)), ...mounted]);
  const found = new Map<string, LocalImage>();
  await Promise.all(
    [...names].map(async (name) => {
      const image = await orUndefined(client.images.inspect(name));
      if (image === undefined) return;
      const tagged = Date.parse(image.Metadata?.LastTagTime ?? '') || Date.parse(image.Created) || 0;
      const platform = [image.Os, image.Architecture, image.Variant].filter(Boolean).join('/');
      found.set(name, { id: image.Id, tagged, platform });
    }),
  );
  for (const service of services) {
    const name = imageNameOf(project, service);
    const image = found.get(name);
    if (image !== undefined && service.platform && !fits(service.platform, image.platform)) found.delete(name);
  }
  return found;
}

/** "linux/arm64" is fitted by "linux/arm64/v8". */
function fits(wanted: string, actual: string): boolean {
  const [want, have] = [wanted.split('/'), actual.split('/')];
  if (want.length === 1) return want[0] === have[0] || want[0] === have[1];
  return (
    want.every((part, index) => part === have[index]) ||
    (want[2] !== undefined && have[2] === undefined && want.slice(0, 2).join() === have.join())
  );
}

/** What must be fetched before anything is made. @throws Fault invalid */
export function neededPulls(project: Project, here: ReadonlyMap<string, LocalImage>, now: number): Pull[] {
  const pulls = new Map<string, Pull>();
  for (const service of Object.values(project.services)) {
    if (service.provider === undefined && service.image === undefined && service.build === undefined)
      throw new Fault('invalid', `invalid service "${service.name}". Must specify either image or build`);
    const because = service.provider === undefined ? whyPull(service, here, now) : undefined;
    const platform = service.platform || project.environment['DOCKER_DEFAULT_PLATFORM'] || undefined;
    if (because !== undefined && service.image !== undefined && !pulls.has(service.image))
      pulls.set(service.image, {
        image: service.image,
        service: service.name,
        platform,
        because,
        isBuildable: isBuildable(project, service),
      });
    for (const { type, source } of service.volumes ?? []) {
      if (type !== 'image' || source === undefined || here.has(source) || pulls.has(source)) continue;
      pulls.set(source, {
        image: source,
        service: service.name,
        platform: undefined,
        because: 'it is mounted, and not here',
        isBuildable: false,
      });
    }
  }
  return [...pulls.values()];
}

/** As docker compose's `mustPull`. Undefined: it stays as it is. */
function whyPull(service: Service, here: ReadonlyMap<string, LocalImage>, now: number): string | undefined {
  if (service.image === undefined) return undefined;
  const image = here.get(service.image);
  const policy = service.pull_policy ?? 'missing';
  if (policy === 'always') return 'pull_policy is always';
  if (policy === 'never' || policy === 'build') return undefined;
  if (image === undefined) return 'it is not here';
  const age = longestAge(policy);
  return age !== undefined && now - image.tagged > age ? `it is older than pull_policy ${policy} allows` : undefined;
}

const day = 24 * 3600 * 1000;

/** In milliseconds: `daily`, `weekly`, `every_12h`, `every_3d`. @throws Fault invalid */
function longestAge(policy: string): number | undefined {
  if (policy === 'daily') return day;
  if (policy === 'weekly') return 7 * day;
  if (!policy.startsWith('every_')) return undefined;
  const text = policy.slice('every_'.length);
  const [, weeks = '0', days = '0', rest = ''] = /^(?:(\d+)w)?(?:(\d+)d)?(.*)$/.exec(text)!;
  const nanos = rest === '' ? 0 : parseGoDuration(rest);
  if (nanos === undefined) throw new Fault('invalid', `pull_policy ${policy}: ${JSON.stringify(text)} is no duration`);
  return (Number(weeks) * 7 + Number(days)) * day + nanos / 1e6;
}

function isBuildable(project: Project, service: Service): boolean {
  if (service.build !== undefined) return true;
  return Object.values(project.services).some(({ image, build }) => image === service.image && build !== undefined);
}

/** Of these services (none: all) and their dependencies, unless left out, those whose image is not here or is always built. */
export function neededBuilds(
  project: Project,
  here: ReadonlyMap<string, LocalImage>,
  options: { services: readonly string[]; dependencies: boolean },
): Build[] {
  const names = options.services.length === 0 ? Object.keys(project.services) : options.services;
  const builds = [...reach(project, names, options.dependencies)].flatMap((name): Build[] => {
    const service = project.services[name]!;
    if (service.build === undefined) return [];
    const image = imageNameOf(project, service);
    const isForced = service.pull_policy === 'build';
    if (here.has(image) && !isForced) return [];
    return [{ service, image, because: here.has(image) ? 'a build was asked for' : 'its image is not here' }];
  });
  return [...neededContexts(project, builds, here), ...builds];
}

/** What is built of another service's image is built after it, though nobody asked for that one. */
function neededContexts(project: Project, builds: readonly Build[], here: ReadonlyMap<string, LocalImage>): Build[] {
  const asked = builds.map(({ service }) => service.name);
  const all = { ...project.services, ...project.disabledServices };
  return withBuildContexts(project, asked).flatMap((name): Build[] => {
    const service = all[name];
    if (service?.build === undefined || asked.includes(name)) return [];
    const image = imageNameOf(project, service);
    return here.has(image) ? [] : [{ service, image, because: 'another image is built of it' }];
  });
}

/** Services whose images others are built of, with those of the list: `additional_contexts: service:x`. */
export function withBuildContexts(project: Project, names: readonly string[]): string[] {
  const all = new Set(names);
  const services = { ...project.services, ...project.disabledServices };
  for (const name of all)
    for (const context of Object.values(services[name]?.build?.additional_contexts ?? {}))
      if (context.startsWith('service:')) all.add(context.slice('service:'.length));
  return [...all];
}
