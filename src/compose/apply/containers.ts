/** What is done to one container. */
import { ApiFault } from '../../client/index.ts';
import { createCall } from '../create/container.ts';
import { linksOf } from '../create/links.ts';
import type { Inherited } from '../create/mounts.ts';
import { type ContainerOf, resolveReferences } from '../create/references.ts';
import { containerNameOf, imageNameOf, nameOf, separatorOf, shortNameOf, successorName } from '../names.ts';
import { type Container, listContainers, orUndefined } from '../observe.ts';
import { containerSubject, type Step } from '../plan/step.ts';
import type { Service } from '../project.ts';
import type { Context, Progress } from './context.ts';
import { runHooks } from './hooks.ts';

export interface MadeContainer {
  id: string;
  name: string;
}

type CreateStep = Extract<Step, { kind: 'container-create' }>;

export interface CreateOptions {
  containerOf: ContainerOf;
  /** The image's id, where it is known. */
  imageId: string | undefined;
  timeout: number | undefined;
}

/** Makes a container, or one in another's place: the one before goes when its successor is there. */
export async function createFromStep(
  context: Context,
  step: CreateStep,
  options: CreateOptions,
): Promise<MadeContainer> {
  const { project, client, progress } = context;
  const { number, replaced } = step;
  const name = containerNameOf(project, step.service, number);
  const id = containerSubject(name);
  const tell = (state: Progress['state'], text: string): void => progress({ id, state, text });
  tell('working', replaced === undefined ? 'Creating' : 'Recreate');
  const service = resolveReferences(step.service, options.containerOf);
  const call = createCall({
    project,
    service,
    number,
    imageId: options.imageId,
    links: await currentLinks(context, service, number),
    inherited: replaced === undefined || !step.inherit ? undefined : await inheritedOf(context, service, replaced),
    apiVersion: await client.apiVersion(),
    ...(replaced === undefined
      ? {}
      : { replaces: service.container_name ?? `${service.name}${separatorOf(project)}${number}` }),
    proxies: context.proxies,
  });
  const temporary = replaced === undefined ? name : successorName(replaced, name);
  const made = await create(context, call, temporary);
  if (replaced === undefined) {
    tell('done', 'Created');
    return { id: made, name };
  }
  await client.containers.stop(replaced.Id, { t: options.timeout });
  await client.containers.remove(replaced.Id);
  await client.containers.rename(made, name);
  tell('done', 'Recreated');
  return { id: made, name };
}

/** @returns its id. Warnings of the engine are said. */
export async function create(
  { client, warn }: Context,
  { body, platform, later }: ReturnType<typeof createCall>,
  name: string,
): Promise<string> {
  const { Id, Warnings } = await client.containers.create(body, {
    name,
    ...(platform === undefined ? {} : { platform }),
  });
  for (const warning of Warnings ?? []) warn(warning);
  for (const { network, endpoint } of later) await client.networks.connect(network, Id, endpoint);
  return Id;
}

/** Links name containers as they are called now. */
async function currentLinks({ client, project }: Context, service: Service, number: number): Promise<string[]> {
  const hasLinks = (service.links ?? []).length > 0 || (service.external_links ?? []).length > 0;
  if (!hasLinks) return [];
  return linksOf(project, service, { number, containers: await listContainers(client, project.name), isOneOff: false });
}

async function inheritedOf(
  { client, project }: Context,
  service: Service,
  replaced: Container,
): Promise<Inherited | undefined> {
  if (replaced.Mounts.length === 0) return undefined;
  const image = await orUndefined(client.images.inspect(imageNameOf(project, service)));
  return { mounts: replaced.Mounts, imageVolumes: new Set(Object.keys(image?.Config?.Volumes ?? {})) };
}

/** With what runs in it before it stops. A container that is gone is as good as stopped. */
export async function stopContainer(
  context: Context,
  container: Container,
  service: Service | undefined,
  timeout: number | undefined,
): Promise<void> {
  const id = containerSubject(nameOf(container));
  context.progress({ id, state: 'working', text: 'Stopping' });
  try {
    if (service?.pre_stop !== undefined && container.State === 'running')
      await runHooks(context, service, service.pre_stop, { id: container.Id, name: shortNameOf(container) });
    await context.client.containers.stop(container.Id, { t: timeout });
  } catch (error) {
    if (!isGone(error)) {
      context.progress({ id, state: 'error', text: 'Error while Stopping' });
      throw error;
    }
  }
  context.progress({ id, state: 'done', text: 'Stopped' });
}

export async function removeContainer(
  context: Context,
  container: Container,
  options: { service: Service | undefined; stop: boolean; timeout: number | undefined; volumes: boolean },
): Promise<void> {
  const id = containerSubject(nameOf(container));
  if (options.stop) await stopContainer(context, container, options.service, options.timeout);
  context.progress({ id, state: 'working', text: 'Removing' });
  try {
    await context.client.containers.remove(container.Id, { force: true, v: options.volumes });
  } catch (error) {
    if (!isGone(error) && !isConflict(error)) {
      context.progress({ id, state: 'error', text: 'Error while Removing' });
      throw error;
    }
  }
  context.progress({ id, state: 'done', text: 'Removed' });
}

export function isGone(error: unknown): boolean {
  return error instanceof ApiFault && error.status === 404;
}

export function isConflict(error: unknown): boolean {
  return error instanceof ApiFault && error.status === 409;
}

/** The container of a service that others mean by its name. */
export function firstByName(containers: readonly MadeContainer[]): MadeContainer | undefined {
  return containers.toSorted((a, b) => (a.name < b.name ? -1 : 1))[0];
}
