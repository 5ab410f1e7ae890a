/** A hijacked connection of the server's as the Duplex that node:http2 takes. */
import { Duplex } from 'node:stream';

/** As the server's RawStream. */
export interface RawConnection {
  /** undefined at the end. */
  read(): Promise<Uint8Array | undefined>;
  write(...pieces: readonly Uint8Array[]): Promise<void> | void;
  onClose(listener: () => void): void;
  destroy(): void;
}

/** Destroying either destroys the other. */
export function duplexOf(raw: RawConnection): Duplex {
  const duplex = new Duplex({
    read() {
      raw.read().then(
        (bytes) => this.push(bytes ?? null),
        (error: Error) => this.destroy(error),
      );
    },
    write(bytes: Uint8Array, _, taken) {
      written(raw, [bytes]).then(() => taken(), taken);
    },
    writev(chunks, taken) {
      written(
        raw,
        chunks.map(({ chunk }) => chunk as Uint8Array),
      ).then(() => taken(), taken);
    },
    destroy(error, done) {
      raw.destroy();
      done(error);
    },
  });
  duplex.on('error', () => {});
  raw.onClose(() => duplex.destroy());
  return duplex;
}

async function written(raw: RawConnection, pieces: readonly Uint8Array[]): Promise<void> {
  await raw.write(...pieces);
}
