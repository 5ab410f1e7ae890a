/** Files in and out of a container as tar (docker cp). */
import type { Readable } from 'node:stream';
import { Readable as ReadableStream } from 'node:stream';
import { createGzip, constants } from 'node:zlib';
import type { Bytes, PathStat } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import type { Call } from '../call.ts';
import { empty, file, type Headers, type Reply } from '../http/reply.ts';

export async function stat(call: Call): Promise<Reply> {
  const found = await call.engine.containers.statPath(call.name, pathOf(call));
  return { kind: 'whole', status: 200, headers: statHeader(found), body: '' };
}

/** Compressed only when asked and the client is on another machine: on this one it would only cost time. */
export async function get(call: Call): Promise<Reply> {
  const { stat: found, tar } = await call.engine.containers.getArchive(call.name, pathOf(call), call.signal);
  const headers = statHeader(found);
  if (call.local || !acceptsGzip(call.header('accept-encoding'))) return file('application/x-tar', tar, headers);
  return file('application/x-tar', compressed(tar), { ...headers, 'Content-Encoding': 'gzip' });
}

export async function put(call: Call): Promise<Reply> {
  await call.engine.containers.putArchive(call.name, pathOf(call), call.body, {
    noOverwriteDirNonDir: call.query.boolean('noOverwriteDirNonDir'),
    copyUidGid: call.query.boolean('copyUIDGID'),
  });
  return empty(200);
}

function pathOf(call: Call): string {
  const path = call.query.text('path');
  if (path === undefined) throw new Fault('invalid', 'bad parameter: path is required');
  return path;
}

/** Base64 of Go's JSON for a container's path stat. */
export function statHeader({ name, size, mode, mtime, linkTarget }: PathStat): Headers {
  const text = JSON.stringify({ name, size, mode, mtime, linkTarget });
  return { 'X-Docker-Container-Path-Stat': Buffer.from(text).toString('base64') };
}

/** Whether an Accept-Encoding header takes gzip (RFC 9110 §12.5.3). */
export function acceptsGzip(header: string | undefined): boolean {
  return (header ?? '').split(',').some((item) => {
    const [coding, ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    return (coding === 'gzip' || coding === 'x-gzip') && !parameters.some((each) => /^q=0(\.0*)?$/.test(each));
  });
}

async function* compressed(tar: Bytes): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: constants.Z_BEST_SPEED });
  const source: Readable = ReadableStream.from(tar);
  source.on('error', (error) => gzip.destroy(error));
  try {
    yield* source.pipe(gzip) as AsyncIterable<Uint8Array>;
  } finally {
    source.destroy();
    gzip.destroy();
  }
}
