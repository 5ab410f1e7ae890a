/** The client's SSH agent behind a socket of ours (buildkit, session/sshforward): each connection to it is a call to the client. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Fault, messageOf } from '../../std/index.ts';
import type { GrpcClient } from '../grpc/client.ts';
import { bytesMessage, empty } from '../message/common.ts';
import { agentRequest } from '../message/session.ts';

/** @throws Fault not-found when the client has no such agent */
export async function forwardAgent(
  client: GrpcClient,
  id: string,
  folder: string,
  signal: AbortSignal,
): Promise<{ socket: string } & AsyncDisposable> {
  try {
    await client.unary(
      '/moby.sshforward.v1.SSH/CheckAgent',
      { request: agentRequest, response: empty },
      { id },
      { signal },
    );
  } catch (error) {
    throw new Fault('not-found', `Cannot forward SSH agent ${JSON.stringify(id)}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const own = await mkdtemp(join(folder, 'ssh-'));
  const socket = join(own, 'agent.sock');
  const sockets = new Set<Socket>();
  const server = createServer((connection) => {
    sockets.add(connection);
    connection.once('close', () => sockets.delete(connection));
    void relay(client, id, connection);
  });
  await listen(server, socket);
  return {
    socket,
    [Symbol.asyncDispose]: async () => {
      for (const each of sockets) each.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(own, { recursive: true, force: true });
    },
  };
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, () => resolve());
  });
}

/** Never rejects: an agent that fails closes the connection. */
async function relay(client: GrpcClient, id: string, connection: Socket): Promise<void> {
  connection.on('error', () => {});
  try {
    const tables = { request: bytesMessage, response: bytesMessage };
    using call = client.call('/moby.sshforward.v1.SSH/ForwardAgent', tables, { metadata: { 'buildkit.ssh.id': id } });
    connection.once('close', () => call[Symbol.dispose]());
    const up = (async () => {
      for await (const data of connection as AsyncIterable<Buffer>) await call.send({ data });
      call.end();
    })();
    up.catch(() => connection.destroy());
    for await (const { data } of call.messages) connection.write(data);
    connection.end();
    await up;
  } catch {
    connection.destroy();
  }
}
