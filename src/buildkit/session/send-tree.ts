/**
 * The sending side of fsutil's DiffCopy (tonistiigi/fsutil, send.go), for `--output type=local`: every entry is told, in order of names; the
 * client asks for the content that it wants. The folder is the builder's and nobody writes to it meanwhile; its links are told, never followed.
 */
import { type BigIntStats, constants } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../std/index.ts';
import { type packet, packetType, type stat as statTable } from '../message/session.ts';
import type { Message, MessageInit } from '../protobuf/field.ts';
import type { PacketCall } from './receive-tree.ts';
import { checkPath, goModeOf } from './tree-stat.ts';

/** As fsutil's own sender. */
const chunkBytes = 32 << 10;

/** @throws Fault */
export async function sendTree(call: PacketCall, folder: string): Promise<void> {
  const files = new Map<number, string>();
  const told = tell(call, folder, files);
  // Awaited below; a client that fails first is heard first.
  told.catch(() => {});
  for await (const asked of call.messages) {
    if (asked.type === packetType.request) await sendContent(call, folder, asked.id, files);
    else if (asked.type === packetType.error) throw refused(asked);
    else if (asked.type === packetType.finish) {
      await told;
      await call.send({ type: packetType.finish });
      call.end();
    }
  }
  await told;
}

/** Each entry before what is below it, siblings by the bytes of their names; then an empty one. `files` are those with content. */
async function tell(call: PacketCall, folder: string, files: Map<number, string>): Promise<void> {
  let id = 0;
  for await (const { path, stats } of walk(folder, '')) {
    const stat = await describe(join(folder, path), path, stats);
    if (stat === undefined) continue;
    if (stats.isFile()) files.set(id, path);
    id++;
    await call.send({ type: packetType.stat, stat });
  }
  await call.send({ type: packetType.stat });
}

async function* walk(folder: string, below: string): AsyncGenerator<{ path: string; stats: BigIntStats }, void, void> {
  const names = await readdir(join(folder, below));
  for (const name of names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    const path = below === '' ? name : `${below}/${name}`;
    const stats = await lstat(join(folder, path), { bigint: true });
    yield { path, stats };
    if (stats.isDirectory()) yield* walk(folder, path);
  }
}

/** undefined: nothing that a client could keep (devices, pipes, sockets). */
async function describe(
  at: string,
  path: string,
  stats: BigIntStats,
): Promise<MessageInit<typeof statTable> | undefined> {
  const mode = goModeOf(stats);
  if (mode === undefined) return undefined;
  return {
    path: checkPath(path),
    mode,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    size: stats.isFile() ? Number(stats.size) : 0,
    modified: stats.mtimeNs,
    linkName: stats.isSymbolicLink() ? await readlink(at) : '',
  };
}

async function sendContent(call: PacketCall, folder: string, id: number, files: Map<number, string>): Promise<void> {
  const path = files.get(id);
  if (path === undefined)
    throw new Fault('invalid', `Cannot send output: the client asked for entry ${id}, which is no file`);
  await using file = await open(join(folder, path), constants.O_RDONLY | constants.O_NOFOLLOW);
  const buffer = Buffer.alloc(chunkBytes);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, chunkBytes);
    // An empty chunk is the end of the file, so the last send is the one of nothing.
    await call.send({ type: packetType.data, id, data: buffer.subarray(0, bytesRead) });
    if (bytesRead === 0) return;
  }
}

function refused({ data }: Message<typeof packet>): Fault {
  return new Fault('invalid', `Cannot send output: ${Buffer.from(data).toString()}`);
}
