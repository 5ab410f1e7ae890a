/** The facts about a machine that the checks of `system doctor` stand on. Asking changes nothing; what cannot be told is undefined. */

export interface PathFacts {
  kind: 'file' | 'folder' | 'socket' | 'link' | 'other';
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
}

export interface FileSystemFacts {
  /** f_type of statfs(2). */
  type: number;
  /** Bytes, as somebody without privileges may use them. */
  size: number;
  available: number;
  /** 0 where there is no fixed number. */
  inodes: number;
  freeInodes: number;
}

/** Who answers at a unix socket. */
export type Answer =
  | { state: 'absent' | 'refused' | 'denied' | 'silent' }
  | { state: 'answers'; platform: string; version: string; dataRoot: string | undefined };

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly user: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Where commands go, and who said so: "DOCKER_HOST", "context x"; undefined when nobody did. */
  readonly endpoint: { url: string; because: string | undefined };
  /** The socket and pidfile of the daemon on this machine, and where its data is or will be. */
  readonly socket: string;
  readonly pidfile: string;
  readonly dataRoot: string;
  /** The names of all processes. */
  processes(): readonly string[];
  /** A small file's text. */
  read(path: string): string | undefined;
  /** Names in a folder. */
  list(path: string): readonly string[] | undefined;
  /** Symbolic links are not followed. */
  stat(path: string): PathFacts | undefined;
  /** Of the nearest folder that is there. */
  space(path: string): FileSystemFacts | undefined;
  /** Where a program is. */
  find(program: string): string | undefined;
  /** undefined when it is missing or does not end in time. */
  run(program: string, args: readonly string[]): Promise<Ended | undefined>;
  ask(socket: string): Promise<Answer>;
}

/** The number in a file such as those of /proc/sys. */
export function readNumber(host: Host, path: string): number | undefined {
  const text = host.read(path)?.trim();
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}
