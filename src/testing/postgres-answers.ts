/** Whether a PostgreSQL lets one in: the first message of its protocol (version 3.0), and the kind of the answer. */
import { connect } from 'node:net';

export interface PostgresAddress {
  host: string;
  port: number;
  user: string;
  database: string;
}

/** A port that is open says little: while it starts, and behind a proxy, it is open too. @throws Error with what the server refuses */
export function postgresAnswers(
  { host, port, user, database }: PostgresAddress,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const end = (settle: () => void): void => {
      signal.removeEventListener('abort', stop);
      socket.destroy();
      settle();
    };
    const stop = (): void => end(() => resolve(false));
    signal.addEventListener('abort', stop, { once: true });
    socket.on('error', stop);
    socket.on('close', stop);
    socket.on('connect', () => socket.write(startupMessage({ user, database })));
    socket.on('data', (answer: Buffer) => {
      // R asks for the password: it is up. E refuses: 57P03 is "starting up".
      if (answer[0] === 0x52) return end(() => resolve(true));
      const text = answer.toString('utf8');
      if (answer[0] === 0x45 && text.includes('57P03')) return stop();
      end(() =>
        reject(new Error(/\0M([^\0]+)/.exec(text)?.[1] ?? `not a PostgreSQL: ${JSON.stringify(text.slice(0, 40))}`)),
      );
    });
  });
}

function startupMessage(parameters: Readonly<Record<string, string>>): Buffer {
  const text = Object.entries(parameters).flatMap(([name, value]) => [name, value]);
  const body = Buffer.from(`${text.join('\0')}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(head.length + body.length, 0);
  head.writeInt32BE(3 << 16, 4);
  return Buffer.concat([head, body]);
}
