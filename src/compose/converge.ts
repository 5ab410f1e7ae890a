/** `up` without what is shown: images first, then what is there is looked at, a plan made, and the plan brought about. */
import { Fault } from '../std/index.ts';
import { Applier } from './apply/apply.ts';
import type { Context } from './apply/context.ts';
import { runProviders } from './apply/provider.ts';
import { type Build, type LocalImage, localImages, neededBuilds, neededPulls, type Pull } from './images.ts';
import { type Observed, observe } from './observe.ts';
import { placeVolumes } from './plan/resources.ts';
import type { Step } from './plan/step.ts';
import { type Plan, planUp, type UpRequest } from './plan/up.ts';
import type { Project } from './project.ts';
import { withApiSocket } from './api-socket.ts';

/** How images come: with the user's credentials, and progress on the user's screen. */
export interface ImageDoor {
  /** @throws Fault for the first that fails; of those that can be built, nothing is thrown */
  pull(pulls: readonly Pull[], project: Project): Promise<void>;
  build(builds: readonly Build[], project: Project): Promise<void>;
}

export interface ConvergeOptions
  extends Omit<UpRequest, 'project' | 'observed' | 'images' | 'renewVolumes' | 'services' | 'isProvided'> {
  services: readonly string[];
  /** Whether images that are missing may be built. */
  build: boolean;
  dependencies: boolean;
  /** Asked before data is lost. */
  confirm: (question: string) => Promise<boolean>;
  now: number;
}

export interface Prepared {
  project: Project;
  plan: Plan;
  applier: Applier;
}

/** What would be done, images included, and nothing done. */
export interface Outlook {
  pulls: Pull[];
  builds: Build[];
  plan: Plan;
}

/** @throws Fault as the plan does, and as images do */
export async function prepare(context: Context, images: ImageDoor, options: ConvergeOptions): Promise<Prepared> {
  const { client, project } = context;
  checkModels(project);
  const looking = observe(client, project.name);
  looking.catch(() => {});
  const here = await getImages(context, images, options);
  const resolved = await withApiSocket({ ...context, project: await runProviders(context) });
  const observed = await looking;
  const renewVolumes = await askAboutVolumes(resolved, observed, options.confirm);
  const ids = new Map([...here].map(([name, { id }]) => [name, id]));
  const request = { ...options, project: resolved, observed, images: ids, renewVolumes, isProvided: true };
  const plan = planUp(request);
  for (const warning of plan.warnings) context.warn(warning);
  const applier = new Applier(
    { ...context, project: resolved },
    { images: ids, containers: observed.containers, timeout: options.timeout },
  );
  return { project: resolved, plan, applier };
}

export async function foresee(context: Context, options: ConvergeOptions): Promise<Outlook> {
  const { client, project, warn } = context;
  const [observed, here] = await Promise.all([observe(client, project.name), localImages(client, project)]);
  const pulls = neededPulls(project, here, options.now);
  const pulled = new Set(pulls.map(({ image }) => image));
  const builds = (options.build ? neededBuilds(project, here, options) : []).filter(
    ({ image, service }) => !pulled.has(image) || service.pull_policy === 'build',
  );
  const ids = new Map([...here].map(([name, { id }]) => [name, id]));
  const differing = placeVolumes(project, observed, () => {}).filter(({ presence }) => presence.state === 'differs');
  for (const { volume } of differing) warn(differingVolume(volume.name));
  const plan = planUp({ ...options, project, observed, images: ids, renewVolumes: new Set(), isProvided: false });
  for (const warning of plan.warnings) warn(warning);
  return { pulls, builds, plan };
}

/** Those that are here once all that was needed is fetched and built. */
async function getImages(
  { client, project }: Context,
  door: ImageDoor,
  options: ConvergeOptions,
): Promise<Map<string, LocalImage>> {
  let here = await localImages(client, project);
  const pulls = neededPulls(project, here, options.now);
  if (pulls.length > 0) {
    await door.pull(pulls, project);
    here = await localImages(client, project);
  }
  const builds = options.build ? neededBuilds(project, here, options) : [];
  if (builds.length === 0) return here;
  await door.build(builds, project);
  return localImages(client, project);
}

async function askAboutVolumes(
  project: Project,
  observed: Observed,
  confirm: ConvergeOptions['confirm'],
): Promise<Set<string>> {
  const renewed = new Set<string>();
  for (const { key, volume, presence } of placeVolumes(project, observed, () => {}))
    if (presence.state === 'differs' && (await confirm(differingVolume(volume.name)))) renewed.add(key);
  return renewed;
}

function differingVolume(name: string): string {
  return `Volume "${name}" exists but doesn't match configuration in compose file. Recreate (data will be lost)?`;
}

function checkModels({ models }: Project): void {
  const [name] = Object.keys(models);
  if (name === undefined) return;
  throw new Fault(
    'not-implemented',
    `model ${name}: models are run by Docker Model Runner, which is not part of Wherry\nRun one as a service instead (image: ollama/ollama), and give its address to the services that use it.`,
  );
}

/** Whether a plan changes anything at all. */
export function changes({ create, start }: Plan): Step[] {
  return [...create, ...start].filter(({ kind }) => kind !== 'keep' && kind !== 'wait');
}
