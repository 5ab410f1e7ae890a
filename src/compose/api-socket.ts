/** `use_api_socket`: a service gets the engine's socket, and the user's registry credentials, as docker compose gives them. */
import type { Context } from './apply/context.ts';
import type { Project, Service } from './project.ts';

const usualSocket = '/var/run/docker.sock';
const configFolder = '/run/secrets/docker';
const key = '#apisocket';

export async function withApiSocket({ client, project, credentials }: Context): Promise<Project> {
  const users = Object.values(project.services).filter(({ use_api_socket: uses }) => uses === true);
  if (users.length === 0) return project;
  // The daemon mounts its own socket: the one it is asked through, where that is a file of this machine.
  const source = client.endpoint.kind === 'unix' ? client.endpoint.path : usualSocket;
  const services: Record<string, Service> = { ...project.services };
  for (const service of users)
    services[service.name] = {
      ...service,
      volumes: [
        ...(service.volumes ?? []),
        { type: 'bind', source, target: usualSocket, bind: { create_host_path: true } },
      ],
      // A service that has a configuration of its own keeps it.
      environment: { DOCKER_CONFIG: configFolder, ...service.environment },
      configs: [...(service.configs ?? []), { source: key, target: `${configFolder}/config.json` }],
    };
  return { ...project, services, configs: { ...project.configs, [key]: { name: key, content: await credentials() } } };
}
