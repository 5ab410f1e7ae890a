/** The way out of the user's network namespace: pasta(1) or slirp4netns(1), which needs no right on the host. */
import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, messageOf } from '../std/index.ts';
import type { Holder } from './holder.ts';
import { findPasta, findProgram, type Found, must } from './program.ts';
import { endKept, keptOf, readKept, writeKept } from './state.ts';

export type OutletKind = 'pasta' | 'slirp4netns' | 'none';

/** Where the resolver answers, as seen from inside. */
const resolvers = { pasta: '169.254.1.1', slirp4netns: '10.0.2.3' } as const;
const startMs = 10_000;

export class Outlet {
  readonly #file: string;
  readonly #state: string;
  readonly #holder: Holder;
  readonly #log: Logger;

  constructor(state: string, holder: Holder, log: Logger) {
    this.#file = join(state, 'outlet.json');
    this.#state = state;
    this.#holder = holder;
    this.#log = log;
  }

  /** Makes sure that there is one, where there can be. */
  async open(): Promise<OutletKind> {
    const kept = readKept(this.#file);
    if (kept !== undefined) return kept['kind'] as OutletKind;
    await this.#holder.run(['ip', 'link', 'set', 'lo', 'up']);
    const complaints: string[] = [];
    const ways = {
      pasta: { found: await findPasta(), start: (path: string) => this.#pasta(path) },
      slirp4netns: { found: findSlirp(), start: (path: string) => this.#slirp(path) },
    };
    for (const kind of ['pasta', 'slirp4netns'] as const) {
      const { found, start } = ways[kind];
      if ('why' in found) complaints.push(found.why);
      else if (!isUsable('/dev/net/tun')) complaints.push('/dev/net/tun cannot be opened: sudo chmod 666 /dev/net/tun');
      else {
        try {
          await writeKept(this.#file, keptOf(await start(found.path), kind), { kind });
          await this.#resolve(resolvers[kind]);
          return kind;
        } catch (error) {
          complaints.push(messageOf(error));
        }
      }
    }
    this.#log.warn('no way out of the containers: only what is inside can be reached', {
      why: [...new Set(complaints)].join('; '),
      try: 'sudo apt-get install passt slirp4netns',
    });
    return 'none';
  }

  /** It becomes a daemon of its own when it is ready. */
  async #pasta(path: string): Promise<number> {
    const pidFile = join(this.#state, 'outlet.pid');
    await must(path, [
      '--config-net',
      '-I',
      'tap0',
      '-t',
      'none',
      '-u',
      'none',
      '-T',
      'none',
      '-U',
      'none',
      '--no-map-gw',
      // Not the host's own address, as it does by itself: who comes from the host would seem to come from ourselves.
      '-a',
      '169.254.2.2',
      '-n',
      '30',
      '-g',
      '169.254.2.1',
      '-a',
      'fd57:6865:7272:ffff::2',
      '-g',
      'fd57:6865:7272:ffff::1',
      '--dns-forward',
      resolvers.pasta,
      '-q',
      '-P',
      pidFile,
      '--userns',
      this.#holder.userNamespace,
      '--netns',
      this.#holder.networkNamespace,
    ]);
    return Number(readFileSync(pidFile, 'utf8').trim());
  }

  async #slirp(path: string): Promise<number> {
    const child = spawn(
      path,
      [
        '--configure',
        '--mtu=65520',
        '--disable-host-loopback',
        '--ready-fd=3',
        `--api-socket=${join(this.#state, 'slirp.sock')}`,
        `--userns-path=${this.#holder.userNamespace}`,
        '--netns-type=path',
        this.#holder.networkNamespace,
        'tap0',
      ],
      { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'pipe'], cwd: '/' },
    );
    const ready = child.stdio[3]!;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('slirp4netns does not come up')), startMs);
      ready.once('data', () => resolve());
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`slirp4netns ended with exit code ${code}`)));
      ready.once('data', () => clearTimeout(timer));
    });
    ready.destroy();
    child.unref();
    return child.pid!;
  }

  /** A resolver on the host's loopback is out of reach from inside: all goes by the one of the outlet. */
  async #resolve(address: string): Promise<void> {
    const file = join(this.#state, 'resolv.conf');
    const kept = readText('/etc/resolv.conf')
      .split('\n')
      .filter((line) => /^\s*(search|domain|options)\s/.test(line));
    writeFileSync(file, [`nameserver ${address}`, ...kept, ''].join('\n'));
    const script = 'mount --bind "$0" "$(readlink -f /etc/resolv.conf)"';
    await this.#holder.run(['sh', '-c', script, file]);
  }

  close(): Promise<void> {
    return endKept(this.#file);
  }
}

function findSlirp(): Found {
  const path = findProgram('slirp4netns');
  return path === undefined ? { why: 'slirp4netns is not installed' } : { path };
}

function isUsable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
