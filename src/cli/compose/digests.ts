/** Images by digest, as their registries have them now. */
import type { Project, Service } from '../../compose/index.ts';
import { gather } from '../../std/index.ts';
import { authHeaderFor, familiarRepository, parseImageName, registryOf } from '../../context/index.ts';
import type { Compose } from './open.ts';

/** @throws Fault where a registry does not tell */
export async function withDigests(compose: Compose, project: Project): Promise<Project> {
  const client = await compose.session.client();
  const entries = await gather(
    Object.entries(project.services).map(([name, service]) => async (): Promise<[string, Service]> => {
      if (service.image === undefined) return [name, service];
      const image = parseImageName(service.image);
      if (image.digest !== undefined) return [name, service];
      const auth = await authHeaderFor(compose.session, registryOf(image));
      const { Descriptor } = await client.images.distribution(service.image, auth);
      return [
        name,
        { ...service, image: `${familiarRepository(image)}:${image.tag ?? 'latest'}@${Descriptor.digest}` },
      ];
    }),
    { limit: 8 },
  );
  return { ...project, services: Object.fromEntries(entries) };
}
