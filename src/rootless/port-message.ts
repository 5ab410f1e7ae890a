/** What the daemon inside and the launcher outside say to each other about published ports: one JSON text a line. */

/** A port of the host, and where what arrives there goes to inside. */
export interface HeldPort {
  protocol: 'tcp' | 'udp';
  hostAddress: string;
  hostPort: number;
  /** Inside: on the tap's address, and on the loopback. */
  port: number;
}

/** How a container's ports come in. Addresses are '' where everything comes over the loopback, and the clients' addresses are lost. */
export interface Tap {
  address4: string;
  address6: string;
}

export type PortQuestion =
  | { id: number; ask: 'hold'; container: string; ports: readonly HeldPort[] }
  | { id: number; ask: 'release'; container: string }
  | { id: number; ask: 'held' };

export type PortAnswer =
  | { id: number; taps?: Tap[]; held?: string[] }
  | { id: number; code: string; message: string; index: number | undefined };

export const portSocket = 'ports.sock';

/** Of a port that could not be had. */
export class PortRefused extends Error {
  readonly code: string;
  /** Which of the ports that were asked for. */
  readonly index: number | undefined;

  constructor(message: string, code: string, index: number | undefined) {
    super(message);
    this.name = 'PortRefused';
    this.code = code;
    this.index = index;
  }
}

/** Texts of a stream, line by line. */
export async function* lines(stream: AsyncIterable<Buffer | string>): AsyncGenerator<string, void, void> {
  let held = '';
  for await (const chunk of stream) {
    held += chunk.toString();
    if (held.length > 1 << 20) throw new Error('a line without end');
    const parts = held.split('\n');
    held = parts.pop()!;
    yield* parts;
  }
}
