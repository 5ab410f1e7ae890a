/** The stock docker CLI building, with and without buildx, on one daemon. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Daemon } from './daemon.ts';
import { execute, type Outcome, Running } from './docker.ts';
import { packages } from './peers.ts';

export type Files = Readonly<Record<string, string | Uint8Array>>;

export interface RunBuildOptions {
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export class BuildClient {
  readonly #daemon: Daemon;
  readonly #docker: string;
  readonly #env: Readonly<Record<string, string | undefined>>;
  #folders = 0;

  private constructor(daemon: Daemon, docker: string, config: object, buildkit: string) {
    this.#daemon = daemon;
    this.#docker = docker;
    const folder = join(daemon.root, `docker-config-${buildkit}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    this.#env = {
      ...daemon.docker.env,
      DOCKER_CONFIG: folder,
      DOCKER_BUILDKIT: buildkit,
      HOME: daemon.root,
      BUILDX_NO_DEFAULT_ATTESTATIONS: '1',
    };
  }

  /** A current CLI that knows of no buildx. @throws Error with the reason */
  static async classic(daemon: Daemon): Promise<BuildClient> {
    return new BuildClient(daemon, join(await packages('newer'), 'usr/bin/docker'), {}, '0');
  }

  /** With buildx and Compose as its plugins. @throws Error with the reason */
  static async buildx(daemon: Daemon): Promise<BuildClient> {
    const peers = await packages('newer');
    const plugins = join(peers, 'usr/libexec/docker/cli-plugins');
    if (!existsSync(join(plugins, 'docker-buildx'))) throw new Error('no docker-buildx among the packages');
    return new BuildClient(daemon, join(peers, 'usr/bin/docker'), { cliPluginsExtraDirs: [plugins] }, '1');
  }

  /** Environment of its programs. */
  get env(): Readonly<Record<string, string | undefined>> {
    return this.#env;
  }

  /** A new folder with these files. */
  folder(files: Files): string {
    const root = join(this.#daemon.root, `context-${this.#env['DOCKER_BUILDKIT']}-${this.#folders++}`);
    mkdirSync(root);
    put(root, files);
    return root;
  }

  run(args: readonly string[], options: RunBuildOptions = {}): Promise<Outcome> {
    const { env, ...rest } = options;
    return execute(this.#docker, args, { timeoutMs: 120_000, ...rest, env: { ...this.#env, ...env } });
  }

  /** Stdout and stderr of what must succeed. @throws Error with both */
  async ok(args: readonly string[], options: RunBuildOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, options);
    if (code !== 0) throw new Error(`docker ${args.join(' ')}: exit ${code}\n${stderr}${stdout}`);
    return stdout + stderr;
  }

  start(args: readonly string[]): Running {
    return new Running(this.#docker, args, { env: this.#env });
  }
}

export function put(root: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}
