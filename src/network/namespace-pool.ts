/** Namespaces made ahead of need, with loopback up: making one takes a millisecond that no start has to wait for. */
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import {
  adoptNetworkNamespace,
  createNetworkNamespace,
  type Netlink,
  openNetlink,
  removeNetworkNamespace,
  runInNetworkNamespace,
  setLink,
  writeSysctl,
} from '../linux/index.ts';
import { type Logger, messageOf } from '../std/index.ts';

export interface Namespace {
  path: string;
  /** Configures the namespace from outside. */
  route: Netlink;
  /** For links that are born inside. */
  fd: number;
  /** Lets go of everything; the kernel removes the links soon after. Idempotent. */
  close(options?: { keep: boolean }): void;
}

const SPARES = 2;
const REFILL_MS = 25;

export class NamespacePool {
  readonly #directory: string;
  readonly #logger: Logger;
  readonly #spares: Namespace[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    this.#logger = logger;
    mkdirSync(directory, { recursive: true, mode: 0o711 });
  }

  take(): Namespace {
    const spare = this.#spares.pop() ?? this.#make();
    this.refill();
    return spare;
  }

  /** Makes the new namespace of a process ready, as one of our own. */
  adopt(pid: number): Namespace {
    const path = this.#freshPath();
    adoptNetworkNamespace(path, pid);
    try {
      return namespaceOf(path, runInNetworkNamespace(path, openReady));
    } catch (error) {
      removeNetworkNamespace(path);
      throw error;
    }
  }

  #freshPath(): string {
    return join(this.#directory, randomBytes(8).toString('hex'));
  }

  /** Fills up a little later, one at a time, so that starts go first. */
  refill(): void {
    if (this.#closed || this.#spares.length >= SPARES) return;
    if (this.#timer !== undefined) {
      this.#timer.refresh();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#closed) return;
      try {
        this.#spares.push(this.#make());
      } catch (error) {
        this.#logger.warn('cannot prepare a network namespace', { error: messageOf(error) });
        return;
      }
      this.refill();
    }, REFILL_MS);
    this.#timer.unref();
  }

  /** Removes what earlier daemons left in the folder, but for `keep` and our own. */
  sweep(keep: ReadonlySet<string>): void {
    const own = new Set(this.#spares.map((spare) => spare.path));
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      if (!keep.has(path) && !own.has(path)) removeNetworkNamespace(path);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const spare of this.#spares.splice(0)) spare.close();
  }

  #make(): Namespace {
    const path = this.#freshPath();
    const route = createNetworkNamespace(path, openReady);
    try {
      return namespaceOf(path, route);
    } catch (error) {
      removeNetworkNamespace(path);
      throw error;
    }
  }
}

/** Inside a new namespace: its defaults, loopback up, and a socket that configures it from outside. */
function openReady(): Netlink {
  prepare();
  const inner = openNetlink(0);
  try {
    setLink(inner, 1, { up: true });
  } catch (error) {
    inner.close();
    throw error;
  }
  return inner;
}

/**
 * A namespace that an earlier daemon made. Where that daemon's mounts died with it (it ran in a mount namespace of its own), the
 * file is mounted anew from `pid`, a process that lives inside. @throws when there is no such namespace any more
 */
export function reopenNamespace(path: string, pid: number | undefined): Namespace {
  if (pid !== undefined && !isNamespace(path)) adoptNetworkNamespace(path, pid);
  return namespaceOf(
    path,
    runInNetworkNamespace(path, () => openNetlink(0)),
  );
}

const NSFS_MAGIC = 0x6e736673;

function isNamespace(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}

/** Owns `route`, also when it fails. */
function namespaceOf(path: string, route: Netlink): Namespace {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    route.close();
    throw error;
  }
  let open = true;
  return {
    path,
    route,
    fd,
    close(options) {
      if (!open) return;
      open = false;
      route.close();
      closeSync(fd);
      if (options?.keep !== true) removeNetworkNamespace(path);
    },
  };
}

/** Defaults for links to come: announce yourself when you come up, no IPv6 unless the network has it. */
function prepare(): void {
  writeSysctl('net/ipv4/conf/default/arp_notify', '1');
  try {
    writeSysctl('net/ipv6/conf/default/disable_ipv6', '1');
    writeSysctl('net/ipv6/conf/default/accept_ra', '0');
    writeSysctl('net/ipv6/conf/default/accept_dad', '0');
    writeSysctl('net/ipv6/conf/default/ndisc_notify', '1');
  } catch {
    // The kernel was booted without IPv6.
  }
}
