/** An SSH agent as a build may use it (draft-miller-ssh-agent): asked for its keys and for signatures, never to change. */
import { connect, type Socket } from 'node:net';
import { Fault, messageOf } from '../../../std/index.ts';
import type { AgentSource } from '../loans.ts';
import { KeyAgent } from './key-agent.ts';
import { agentMessage } from './messages.ts';

/** Answers one request at a time; messages are without their length. */
export interface Agent extends Disposable {
  ask(request: Buffer): Promise<Buffer>;
}

/** OpenSSH's own limit of a message. */
const maxMessageBytes = 256 << 10;

const allowed = new Set<number>([agentMessage.requestIdentities, agentMessage.signRequest, agentMessage.extension]);

/** @throws Fault */
export async function openAgent(source: AgentSource): Promise<Agent> {
  return 'keys' in source ? new KeyAgent(source.keys) : SocketAgent.open(source.socket);
}

/** The answers to what comes in. @throws Fault */
export async function* converse(
  agent: Agent,
  incoming: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const request of agentMessages(incoming)) {
    const answer = allowed.has(request[0] ?? -1) ? await agent.ask(request) : Buffer.from([agentMessage.failure]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(answer.length);
    yield Buffer.concat([length, answer]);
  }
}

async function* agentMessages(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 4) {
      const length = held.readUInt32BE();
      if (length > maxMessageBytes)
        throw new Fault('invalid', `Cannot forward SSH agent: a message of ${length} bytes`);
      if (held.length < 4 + length) break;
      yield held.subarray(4, 4 + length);
      held = held.subarray(4 + length);
    }
  }
}

class SocketAgent implements Agent {
  readonly #socket: Socket;
  readonly #answers: AsyncGenerator<Buffer, void, void>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#answers = agentMessages(socket);
  }

  static open(path: string): Promise<SocketAgent> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', (error) => {
        reject(
          new Fault('unavailable', `Cannot reach the SSH agent at ${path}: ${messageOf(error)}`, { cause: error }),
        );
      });
      socket.once('connect', () => resolve(new SocketAgent(socket)));
    });
  }

  async ask(request: Buffer): Promise<Buffer> {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(request.length);
    this.#socket.write(Buffer.concat([length, request]));
    const { value } = await this.#answers.next();
    if (value === undefined) throw new Fault('unavailable', 'the SSH agent closed the connection');
    return value;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
