/** A compose project in a folder of its own, driven by our command line or by docker compose 2. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { repository } from './daemon.ts';
import { execute, must, type Outcome, Running, type RunOptions } from './docker.ts';
import { packages } from './peers.ts';

export type Tool = 'wherry' | 'docker';

export interface Place {
  /** Where projects' folders are made. */
  root: string;
  env: Readonly<Record<string, string | undefined>>;
}

/** docker compose 2's own program. @throws Error with the reason */
export async function dockerCompose(): Promise<string> {
  return join(await packages('newer'), 'usr/libexec/docker/cli-plugins/docker-compose');
}

/** The bundle, as users run it: a command of it starts in a fifth of the source's time. */
let bundle: Promise<unknown> | undefined;

function bundled(): Promise<unknown> {
  bundle ??= must(process.execPath, [join(repository, 'scripts/build.ts')], { timeoutMs: 60_000 });
  return bundle;
}

export class ComposeProject {
  readonly name: string;
  readonly folder: string;
  readonly #env: Place['env'];

  constructor({ root, env }: Place, name: string, yaml: string) {
    this.name = name;
    this.folder = join(root, name);
    this.#env = env;
    mkdirSync(this.folder, { recursive: true });
    this.write('compose.yaml', yaml);
  }

  write(path: string, text: string): void {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  async #command(tool: Tool): Promise<[string, string[]]> {
    if (tool === 'docker') return [await dockerCompose(), ['--ansi', 'never']];
    await bundled();
    return [join(repository, 'bin/wherry'), ['compose', '--ansi', 'never']];
  }

  #options(options: RunOptions): RunOptions {
    return {
      timeoutMs: 60_000,
      ...options,
      cwd: this.folder,
      env: { ...this.#env, WHERRY_SOURCE: '', ...options.env },
    };
  }

  async run(tool: Tool, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const [file, words] = await this.#command(tool);
    return execute(file, [...words, ...args], this.#options(options));
  }

  async start(tool: Tool, args: readonly string[], options: RunOptions = {}): Promise<Running> {
    const [file, words] = await this.#command(tool);
    return new Running(file, [...words, ...args], this.#options(options));
  }

  /** Ours. @returns standard output and error together. */
  async ok(...args: string[]): Promise<string> {
    return this.okBy('wherry', ...args);
  }

  async okBy(tool: Tool, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(tool, args);
    assert.equal(code, 0, `${tool} compose ${args.join(' ')}: exit ${code}\n${stderr}${stdout}`);
    return stdout + stderr;
  }

  /** Ours, standard output only, without the last newline. */
  async out(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run('wherry', args);
    assert.equal(code, 0, `compose ${args.join(' ')}: exit ${code}\n${stderr}${stdout}`);
    return stdout.replace(/\n$/, '');
  }

  /** Ours, which must fail. @returns what it says. */
  async fails(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run('wherry', args);
    assert.notEqual(code, 0, `compose ${args.join(' ')} succeeded: ${stderr}${stdout}`);
    return stderr + stdout;
  }
}
