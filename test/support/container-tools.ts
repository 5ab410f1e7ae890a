/** podman and skopeo from Debian's packages, unpacked into the cache folder and never over the system. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute, type Outcome } from './docker.ts';
import { packages } from './peers.ts';

/**
 * Debian's podman and skopeo with a storage of their own. They read and write fixed places in /etc and /var, so they run in a mount
 * namespace where those are overlaid (and where crun sees no hybrid cgroups); what they mount dies with it.
 */
export class ContainerTools implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-tools-'));
  readonly #keeper: ChildProcess;
  readonly #env: Record<string, string>;

  private constructor(folders: readonly string[]) {
    const at = (name: string): string => join(this.root, name);
    for (const name of ['etc/containers', 'etc-work', 'var', 'var-work', 'tmp'])
      mkdirSync(at(name), { recursive: true });
    writeFileSync(at('etc/containers/policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
    writeFileSync(at('etc/containers/registries.conf'), '[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n');
    writeFileSync(
      at('containers.conf'),
      `[engine]\nevents_logger = "none"\ncgroup_manager = "cgroupfs"\nhelper_binaries_dir = [${folders.map((folder) => `"${join(folder, 'usr/lib/podman')}"`).join(', ')}]\n[network]\nnetwork_backend = "netavark"\n[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n`,
    );
    writeFileSync(
      at('storage.conf'),
      `[storage]\ndriver = "overlay"\nrunroot = "${at('run')}"\ngraphroot = "${at('data')}"\n`,
    );
    const library = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
    this.#env = {
      PATH: `${folders.map((folder) => join(folder, 'usr/bin')).join(':')}:/usr/sbin:/usr/bin:/sbin:/bin`,
      LD_LIBRARY_PATH: folders
        .flatMap((folder) => [join(folder, 'usr/lib', library), join(folder, 'lib', library)])
        .join(':'),
      CONTAINERS_CONF: at('containers.conf'),
      CONTAINERS_STORAGE_CONF: at('storage.conf'),
      TMPDIR: at('tmp'),
      HOME: this.root,
    };
    const overlay = (path: string): string =>
      `mount -t overlay overlay -o lowerdir=${path},upperdir=$0${path},workdir=$0${path}-work ${path}`;
    this.#keeper = spawn(
      'unshare',
      [
        '-m',
        'sh',
        '-ec',
        `mount --make-rprivate /; umount /sys/fs/cgroup/unified 2>/dev/null || true; ${overlay('/etc')}; ${overlay('/var')}; echo ready; exec sleep 100000`,
        this.root,
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
  }

  static async open(): Promise<ContainerTools> {
    const tools = new ContainerTools([await packages('podman'), await packages('skopeo')]);
    try {
      await new Promise<void>((done, reject) => {
        tools.#keeper.stdout!.once('data', () => done());
        tools.#keeper.once('error', reject);
        tools.#keeper.once('exit', () =>
          reject(new Error('no mount namespace for podman (overlay over /etc and /var)')),
        );
      });
      await tools.ok('podman', '--version');
      await tools.ok('skopeo', '--version');
    } catch (error) {
      await tools[Symbol.asyncDispose]();
      throw error;
    }
    return tools;
  }

  /** A program of theirs, or any other, in their namespace. */
  run(program: string, args: readonly string[]): Promise<Outcome> {
    const line = [`--mount=/proc/${this.#keeper.pid}/ns/mnt`, program, ...args];
    return execute('nsenter', line, { env: this.#env, timeoutMs: 60_000 });
  }

  /** Stdout of a command that must succeed, without the last newline. */
  async ok(program: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(program, args);
    if (code !== 0) throw new Error(`${program} ${args.join(' ')}: exit ${code}\n${stderr}`.slice(0, 4000));
    return stdout.replace(/\n$/, '');
  }

  /** A path of their namespace as this process reaches it. */
  reach(path: string): string {
    return `/proc/${this.#keeper.pid}/root${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise<void>((done) => {
      if (this.#keeper.exitCode !== null || this.#keeper.signalCode !== null) done();
      this.#keeper.once('exit', () => done());
      this.#keeper.once('error', () => done());
    });
    this.#keeper.kill('SIGKILL');
    await gone;
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}
