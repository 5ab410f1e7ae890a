/** HTTP/2 knows no half-closed connection, but hijacked sockets are made to allow it: the peer's end ends both directions. */
import type { Duplex } from 'node:stream';

export function endWhole(connection: Duplex): void {
  connection.on('error', () => {});
  connection.once('end', () => connection.destroy());
}
