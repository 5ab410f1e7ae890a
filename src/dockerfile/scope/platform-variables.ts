/** The variables every Dockerfile has in its global scope; a stage must declare them with ARG to see them. */

export interface BuildPlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
}

export interface PlatformVariablesOptions {
  /** What the image is for. */
  readonly target: BuildPlatform;
  /** What the build runs on. */
  readonly build: BuildPlatform;
  /** The target stage's name. */
  readonly stage: string | undefined;
  /** `--build-arg`: they win even here. */
  readonly buildArgs: ReadonlyMap<string, string>;
}

export function platformVariables(options: PlatformVariablesOptions): Map<string, string> {
  const variables = new Map([
    ...ofPlatform('BUILD', options.build),
    ...ofPlatform('TARGET', options.target),
    ['TARGETSTAGE', options.stage ?? 'default'] as const,
  ]);
  for (const name of variables.keys()) {
    const given = options.buildArgs.get(name);
    if (given !== undefined) variables.set(name, given);
  }
  return variables;
}

/** `linux/arm/v7`. */
export function formatBuildPlatform({ os, architecture, variant, osVersion }: BuildPlatform): string {
  const version = osVersion === undefined || osVersion === '' ? '' : `(${osVersion})`;
  return [os + version, architecture, variant ?? ''].filter((part) => part !== '').join('/');
}

function ofPlatform(prefix: string, platform: BuildPlatform): (readonly [string, string])[] {
  return [
    [`${prefix}PLATFORM`, formatBuildPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}OSVERSION`, platform.osVersion ?? ''],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ''],
  ];
}
