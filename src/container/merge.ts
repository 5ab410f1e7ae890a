/** The image's configuration under the client's: Docker's rules for what wins and what adds up. */
import type { ContainerConfig, HealthConfig } from '../api/index.ts';

/** Returns a new configuration; neither input is changed. */
export function mergeConfig(client: ContainerConfig, image: ContainerConfig): ContainerConfig {
  const merged: ContainerConfig = { ...client };
  if (!merged.User && image.User) merged.User = image.User;
  merged.ExposedPorts = union(client.ExposedPorts, image.ExposedPorts);
  merged.Volumes = union(client.Volumes, image.Volumes);
  merged.Labels = { ...image.Labels, ...client.Labels };
  merged.Env = mergeEnvironment(client.Env ?? [], image.Env ?? []);
  if (client.Entrypoint === null || client.Entrypoint === undefined) {
    if ((client.Cmd ?? []).length === 0) merged.Cmd = image.Cmd ?? null;
    merged.Entrypoint = image.Entrypoint ?? null;
  } else if (client.Entrypoint.length === 1 && client.Entrypoint[0] === '') {
    merged.Entrypoint = null;
  }
  if (!merged.WorkingDir && image.WorkingDir) merged.WorkingDir = image.WorkingDir;
  if (!merged.StopSignal && image.StopSignal) merged.StopSignal = image.StopSignal;
  if ((merged.Shell ?? []).length === 0 && image.Shell) merged.Shell = image.Shell;
  merged.Healthcheck = mergeHealth(client.Healthcheck ?? undefined, image.Healthcheck ?? undefined) ?? null;
  return merged;
}

function union(
  a: Record<string, object> | null | undefined,
  b: Record<string, object> | null | undefined,
): Record<string, object> | null {
  const merged = { ...b, ...a };
  return Object.keys(merged).length === 0 ? null : merged;
}

function mergeEnvironment(client: readonly string[], image: readonly string[]): string[] {
  const keys = new Set(client.map(environmentKey));
  // "K" alone (no =) takes the variable out of the image's environment.
  return [
    ...client.filter((entry) => entry.includes('=')),
    ...image.filter((entry) => !keys.has(environmentKey(entry))),
  ];
}

export function environmentKey(entry: string): string {
  const equals = entry.indexOf('=');
  return equals < 0 ? entry : entry.slice(0, equals);
}

function mergeHealth(client: HealthConfig | undefined, image: HealthConfig | undefined): HealthConfig | undefined {
  if (client === undefined || image === undefined) return client ?? image;
  const pick = (key: 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval' | 'Retries'): number =>
    client[key] || (image[key] ?? 0);
  return {
    Test: (client.Test ?? []).length > 0 ? client.Test! : (image.Test ?? null),
    Interval: pick('Interval'),
    Timeout: pick('Timeout'),
    StartPeriod: pick('StartPeriod'),
    StartInterval: pick('StartInterval'),
    Retries: pick('Retries'),
  };
}
