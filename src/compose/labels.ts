/** The labels by which docker compose, and we, know what belongs to a project (docker compose v2's `api` package). */

export const label = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  hash: 'com.docker.compose.config-hash',
  number: 'com.docker.compose.container-number',
  volume: 'com.docker.compose.volume',
  network: 'com.docker.compose.network',
  workingDir: 'com.docker.compose.project.working_dir',
  files: 'com.docker.compose.project.config_files',
  envFiles: 'com.docker.compose.project.environment_file',
  oneOff: 'com.docker.compose.oneoff',
  slug: 'com.docker.compose.slug',
  image: 'com.docker.compose.image',
  dependencies: 'com.docker.compose.depends_on',
  version: 'com.docker.compose.version',
  replaces: 'com.docker.compose.replace',
} as const;

/** The version of docker compose whose rules these are. */
export const composeVersion = '2.40.3';

export type Labels = Readonly<Record<string, string>>;

/** Filters of list calls, for what belongs to a project. */
export function inProject(name: string): string[] {
  return [`${label.project}=${name}`];
}
