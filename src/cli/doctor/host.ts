/** What checks may ask of a machine. Nothing here throws: what is missing, forbidden or too slow is undefined. */

export interface FileFacts {
  readonly kind: 'file' | 'directory' | 'socket' | 'link' | 'other';
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedMs: number;
}

export interface Space {
  readonly total: number;
  readonly available: number;
  /** 0 where there is no fixed number. */
  readonly inodes: number;
  readonly freeInodes: number;
}

export interface ProgramOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What is at a unix socket. */
export type Answer =
  | {
      readonly kind: 'engine';
      /** "Wherry", "Docker", "Podman". */
      readonly product: string;
      readonly version: string;
      readonly dataRoot: string;
      /** The link of its default network, where it tells. */
      readonly bridge: string | undefined;
      /** What it publishes: "8080/tcp". */
      readonly ports: readonly string[];
    }
  /** No such file; a file nobody listens at; not ours to open; open, but no answer in time or not this protocol. */
  | { readonly kind: 'absent' | 'refused' | 'denied' | 'silent' };

export interface Host {
  readonly uid: number;
  readonly user: string;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  read(path: string): string | undefined;
  /** Names in a folder. */
  list(path: string): readonly string[] | undefined;
  /** Of the link itself where it is one. */
  stat(path: string): FileFacts | undefined;
  /** The path behind symbolic links; of what is not there, of the nearest folder that is. */
  resolve(path: string): string;
  space(path: string): Space | undefined;
  /** Where a program is. */
  find(program: string): string | undefined;
  run(program: string, args: readonly string[]): Promise<ProgramOutcome | undefined>;
  /** Mounts an overlay in a mount namespace of its own, its layers in a new folder of `parent`. "ok", or why not; undefined: cannot be tried. */
  tryOverlay(parent: string, options: { asUser: boolean }): Promise<string | undefined>;
  engineAt(socket: string): Promise<Answer>;
}
