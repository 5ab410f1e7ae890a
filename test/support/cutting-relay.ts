/** A bad line to a server: passes bytes on, and hangs up each connection after a number of them in either direction. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export class CuttingRelay implements AsyncDisposable {
  /** Bytes of one connection after which it is cut; Infinity for a good line. */
  downAfter = Infinity;
  upAfter = Infinity;
  /** How many connections are cut before the line is good (all). */
  most = Infinity;
  /** Connections cut so far. */
  cuts = 0;
  /** Bytes passed on so far. */
  down = 0;
  up = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server;
  host = '';

  private constructor(target: string) {
    const [hostname = '', port = ''] = target.split(':');
    this.#server = createServer((client) => {
      const server = connect(Number(port), hostname);
      this.#carry(
        client,
        server,
        () => this.upAfter,
        (count) => (this.up += count),
      );
      this.#carry(
        server,
        client,
        () => this.downAfter,
        (count) => (this.down += count),
      );
    });
  }

  static async open(target: string): Promise<CuttingRelay> {
    const relay = new CuttingRelay(target);
    await new Promise<void>((done) => {
      relay.#server.listen(0, '127.0.0.1', done);
    });
    relay.host = `127.0.0.1:${(relay.#server.address() as AddressInfo).port}`;
    return relay;
  }

  #carry(from: Socket, to: Socket, limit: () => number, count: (bytes: number) => void): void {
    let passed = 0;
    this.#sockets.add(from);
    from.on('data', (chunk: Buffer) => {
      const end = this.cuts < this.most ? limit() : Infinity;
      const piece = chunk.subarray(0, Math.max(0, end - passed));
      passed += piece.length;
      count(piece.length);
      if (!to.write(piece)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
      if (passed < end) return;
      this.cuts++;
      from.destroy();
      to.end();
    });
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      to.end();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((done) => {
      for (const socket of this.#sockets) socket.destroy();
      this.#server.close(() => done());
    });
  }
}
