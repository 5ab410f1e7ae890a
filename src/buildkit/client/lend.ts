/** The client's end of a session: the builder calls, and gets what the user lends or gives what the user takes (buildkit, session/). */
import { Channel, Fault } from '../../std/index.ts';
import { batched, bidirectional, type CallContext, type Method, type Methods, singly, unary } from '../grpc/service.ts';
import { GrpcFault, grpcCode } from '../grpc/status.ts';
import { bytesMessage, empty, healthRequest, healthResponse } from '../message/common.ts';
import {
  agentRequest,
  credentialsRequest,
  credentialsResponse,
  packet,
  secretRequest,
  secretResponse,
} from '../message/session.ts';
import type { Message, MessageInit } from '../protobuf/field.ts';
import type { PacketCall } from '../session/receive-tree.ts';
import { TreeSender } from '../session/send-tree.ts';
import { contentMethods } from './content-store.ts';
import type { AgentSource, Loans } from './loans.ts';
import type { Landings } from './output/landing.ts';
import { takeFile } from './output/take-file.ts';
import { takeTree } from './output/take-tree.ts';
import { readSecret } from './secrets.ts';
import { selectionOf } from './selection.ts';
import { converse, openAgent } from './ssh/agent.ts';

type PacketInit = MessageInit<typeof packet>;

/** Where the builder is told to read `Loans.upload` (buildkit, session/upload). */
export const uploadUrl = 'http://buildkit-session/upload';

const sendPath = '/moby.filesync.v1.FileSend/DiffCopy';

/** As much of an upload as is sent at once. */
const uploadChunkBytes = 1 << 20;

/** @param landings gets what was taken of the build */
export function sessionMethods(loans: Loans, landings: Landings): Methods & { readonly paths: readonly string[] } {
  const methods = new Map<string, Method>([
    ['/grpc.health.v1.Health/Check', unary(healthRequest, healthResponse, () => ({ status: 1 }))],
    ['/moby.filesync.v1.FileSync/DiffCopy', lendFolder(loans)],
    ['/moby.filesync.v1.Auth/Credentials', credentials(loans)],
    [
      '/moby.buildkit.secrets.v1.Secrets/GetSecret',
      unary(secretRequest, secretResponse, ({ id }) => ({ data: readSecret(id, loans.secrets.get(id)) })),
    ],
    [
      '/moby.sshforward.v1.SSH/CheckAgent',
      unary(agentRequest, empty, ({ id }) => {
        agentOf(loans, id);
        return {};
      }),
    ],
    ['/moby.sshforward.v1.SSH/ForwardAgent', forwardAgent(loans)],
    ['/moby.upload.v1.Upload/Pull', upload(loans)],
  ]);
  for (const [path, method] of contentMethods(loans.stores)) methods.set(path, method);
  return {
    paths: [...methods.keys(), sendPath],
    // What an output's messages are depends on whether it is a file or a tree.
    get: (path, call) => (path === sendPath ? takeOutput(loans, call, landings) : methods.get(path)),
  };
}

function lendFolder({ folders }: Loans): Method {
  return batched(packet, packet, async function* (requests, call) {
    const name = call.metadata('dir-name') ?? '';
    const folder = folders.get(name);
    if (folder === undefined)
      throw new GrpcFault(grpcCode.notFound, `no access allowed to dir ${JSON.stringify(name)}`);
    const selection = selectionOf(folder, {
      includes: patterns(call, 'include-patterns'),
      excludes: patterns(call, 'exclude-patterns'),
      followPaths: patterns(call, 'followpaths'),
    });
    const options = { selection, owner: { uid: 0, gid: 0 }, withNodes: true };
    using sender = new TreeSender(requests, folder, options);
    yield* sender.packets();
  });
}

/** Query-escaped where a value is not ASCII, and marked so (buildkit, session/filesync). */
function patterns(call: CallContext, name: string): string[] {
  const values = call.metadataValues(name);
  if (call.metadata(`${name}-encoded`) === undefined) return [...values];
  return values.map((value) => decodeURIComponent(value.replaceAll('+', ' ')));
}

function credentials(loans: Loans): Method {
  return unary(credentialsRequest, credentialsResponse, async ({ host }) => {
    const auth = (await loans.credentials(host)) ?? {};
    const token = auth.identitytoken ?? '';
    return token === '' ? { username: auth.username ?? '', secret: auth.password ?? '' } : { secret: token };
  });
}

function agentOf({ agents }: Loans, id: string): AgentSource {
  const agent = agents.get(id === '' ? 'default' : id);
  if (agent === undefined) {
    throw new GrpcFault(
      grpcCode.unknown,
      `unset ssh forward key ${id}: add --ssh ${id === '' ? 'default' : id} to the build`,
    );
  }
  return agent;
}

function forwardAgent(loans: Loans): Method {
  return bidirectional(bytesMessage, bytesMessage, async function* (requests, call) {
    using agent = await openAgent(agentOf(loans, call.metadata('buildkit.ssh.id') ?? ''));
    for await (const data of converse(agent, bytesOf(requests))) yield { data };
  });
}

async function* bytesOf(messages: AsyncIterable<{ data: Uint8Array }>): AsyncGenerator<Uint8Array, void, void> {
  for await (const { data } of messages) yield data;
}

function upload(loans: Loans): Method {
  return bidirectional(bytesMessage, bytesMessage, async function* () {
    if (loans.upload === undefined) throw new GrpcFault(grpcCode.notFound, 'nothing is uploaded in this build');
    for await (const chunk of loans.upload) {
      for (let at = 0; at < chunk.length; at += uploadChunkBytes)
        yield { data: chunk.subarray(at, at + uploadChunkBytes) };
    }
  });
}

function takeOutput({ outputs }: Loans, call: CallContext, landings: Landings): Method {
  const index = Number(call.metadata('buildkit-attachable-exporter-id') ?? 0);
  const target = outputs[index];
  if (target === undefined) throw new GrpcFault(grpcCode.notFound, `no output ${index} in this build`);
  if (!('folder' in target)) {
    return batched(bytesMessage, bytesMessage, async function* (requests) {
      await takeFile(singly(requests), target, landings);
      yield [];
    });
  }
  const { folder } = target;
  return batched(packet, packet, async function* (requests) {
    const answers = new Channel<readonly PacketInit[]>();
    const taken = takeTree(asCall(requests, answers), folder, landings);
    taken.catch((error: unknown) => answers.fail(error));
    yield* answers;
    await taken;
  });
}

/** A call that the other side made, as the one who asks for content sees it. */
function asCall(
  batches: AsyncIterable<readonly Message<typeof packet>[]>,
  answers: Channel<readonly PacketInit[]>,
): PacketCall {
  return {
    send: async (...messages) => answers.push(messages),
    sendFrames: () => Promise.reject(new Fault('internal', 'nothing here frames messages itself')),
    end: () => answers.close(),
    batches,
    messages: singly(batches),
    [Symbol.dispose]: () => answers.fail(new Fault('unavailable', 'the transfer was stopped')),
  };
}
