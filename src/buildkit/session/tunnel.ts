/** A session's connection inside a call (Control.Session): how `buildx bake` opens the one that its targets share. */
import { Duplex } from 'node:stream';
import { Channel } from '../../std/index.ts';

interface Bytes {
  readonly data: Uint8Array;
}

/** Serves `accept` over the call's bytes; what it yields is for the client. Ends with either side. */
export async function* tunnel(
  requests: AsyncIterable<Bytes>,
  accept: (connection: Duplex) => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<Bytes, void, void> {
  const out = new Channel<{ data: Uint8Array; taken: () => void }>();
  const incoming = requests[Symbol.asyncIterator]();
  const connection = new Duplex({
    read() {
      incoming.next().then(
        ({ value, done }) => this.push(done === true ? null : value.data),
        (error: Error) => this.destroy(error),
      );
    },
    write(data: Uint8Array, _, taken) {
      out.push({ data, taken: () => taken() });
    },
    final(done) {
      out.close();
      done();
    },
    destroy(error, done) {
      out.close();
      done(error);
    },
  });
  connection.on('error', () => {});
  const end = (): void => void connection.destroy();
  signal.addEventListener('abort', end, { once: true });
  const served = accept(connection);
  try {
    for await (const { data, taken } of out) {
      yield { data };
      taken();
    }
  } finally {
    signal.removeEventListener('abort', end);
    connection.destroy();
    await served;
  }
}
