/** Inside: asks the launcher for ports of the host. */
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { serveRelay } from './relay-inside.ts';
import {
  type HeldPort,
  lines,
  type PortAnswer,
  type PortQuestion,
  PortRefused,
  portSocket,
  type Tap,
} from './port-message.ts';

type Asked = PortQuestion extends infer Each ? (Each extends { id: number } ? Omit<Each, 'id'> : never) : never;

export interface HostPorts {
  /** All or none, in place of what the container had. @throws PortRefused */
  hold(container: string, ports: readonly HeldPort[]): Promise<Tap[]>;
  release(container: string): Promise<void>;
  /** The containers that have some, also from before this daemon. */
  held(): Promise<ReadonlySet<string>>;
}

/** One connection for each question: the launcher may be another one by the next. */
export function connectHostPorts(state: string): HostPorts & Disposable {
  const relay = serveRelay(state);
  const ask = async (question: Asked): Promise<Exclude<PortAnswer, { code: string }>> => {
    const socket = await open(join(state, portSocket));
    try {
      socket.write(`${JSON.stringify({ id: 1, ...question })}\n`);
      for await (const line of lines(socket as AsyncIterable<Buffer>)) {
        const answer = JSON.parse(line) as PortAnswer;
        if ('code' in answer) throw new PortRefused(answer.message, answer.code, answer.index);
        return answer;
      }
      throw new PortRefused('the part of wherryd on the host is gone', 'EPIPE', undefined);
    } finally {
      socket.destroy();
    }
  };
  return {
    hold: async (container, ports) => (await ask({ ask: 'hold', container, ports })).taps!,
    release: async (container) => void (await ask({ ask: 'release', container })),
    held: async () => new Set((await ask({ ask: 'held' })).held),
    [Symbol.dispose]: () => void relay.close(),
  };
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new PortRefused(
          `the part of wherryd on the host does not answer: ${error.message}`,
          error.code ?? '',
          undefined,
        ),
      ),
    );
  });
}
