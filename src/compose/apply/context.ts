/** What steps work with. */
import type { Client } from '../../client/index.ts';
import type { Project } from '../project.ts';

/** How a thing of the project is doing, for a line of progress. */
export interface Progress {
  /** "Container app-web-1". */
  id: string;
  state: 'working' | 'done' | 'warning' | 'error';
  /** "Creating". */
  text: string;
}

export interface Context {
  client: Client;
  project: Project;
  progress: (progress: Progress) => void;
  warn: (text: string) => void;
  /** What a hook's command says, in lines. */
  hookOutput?: ((container: string, line: string) => void) | undefined;
  /** The user's proxies, as variables. */
  proxies: Readonly<Record<string, string>>;
  /** What `use_api_socket` gives a container besides the socket. */
  credentials: () => Promise<string>;
  signal: AbortSignal;
  /** How much goes on at once. */
  limit: number;
}
