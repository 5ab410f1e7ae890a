/** An HTTP proxy on loopback: tunnels (CONNECT) and plain requests, to wherever a test says a name lies. */
import { createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

export interface ProxyDouble extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  host: string;
  /** `CONNECT host:port` or `GET http://…` of every request. */
  seen: string[];
}

/** @param places `127.0.0.1:port` by `name:port`. @param password `user:password` that it demands */
export async function proxyDouble(places: Record<string, string>, password?: string): Promise<ProxyDouble> {
  const seen: string[] = [];
  const wanted = password === undefined ? undefined : `Basic ${Buffer.from(password).toString('base64')}`;
  const allowed = (incoming: IncomingMessage): boolean =>
    wanted === undefined || incoming.headers['proxy-authorization'] === wanted;
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((incoming, response) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    const url = new URL(incoming.url ?? '');
    const place = places[`${url.hostname}:${url.port === '' ? '80' : url.port}`];
    if (!allowed(incoming) || place === undefined) {
      response.writeHead(allowed(incoming) ? 502 : 407).end();
      return;
    }
    const { 'proxy-authorization': _, ...headers } = incoming.headers;
    const [hostname, port] = place.split(':');
    const upstream = request({ hostname, port, method: incoming.method, path: url.pathname + url.search, headers });
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    upstream.on('error', () => response.destroy());
    incoming.pipe(upstream);
  });
  server.on('connect', (incoming: IncomingMessage, client) => {
    seen.push(`CONNECT ${incoming.url}`);
    const place = places[incoming.url ?? ''];
    if (!allowed(incoming) || place === undefined) {
      client.end(`HTTP/1.1 ${allowed(incoming) ? '502 Bad Gateway' : '407 Proxy Authentication Required'}\r\n\r\n`);
      return;
    }
    const [host, port] = place.split(':');
    const upstream = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.pipe(client);
      client.pipe(upstream);
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        upstream.destroy();
        client.destroy();
      });
    }
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    [Symbol.asyncDispose]: () =>
      new Promise((done) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
