/** Bodies of requests: JSON of bounded size, and forms whose files are read as they come. */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import busboy from '@fastify/busboy';
import { invalid, Refusal } from './problem.ts';

const jsonLimit = 8_000_000;

/** @throws Refusal 400, 413 */
export async function jsonBody<T>(request: IncomingMessage): Promise<Partial<T>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > jsonLimit)
      throw new Refusal(413, 'too_large', `The request is larger than ${jsonLimit} bytes. Upload long texts as files.`);
    chunks.push(chunk as Buffer);
  }
  if (size === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw invalid('The body is no JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('The body must be a JSON object.');
  return value;
}

export interface FormFile {
  field: string;
  filename: string | undefined;
  bytes: Readable;
}

/**
 * Gives each file to `take` as it comes, with the fields before it; a field called `content` counts as a file. The next one is read when
 * `take` is done. @throws Refusal 400 for what is no form
 */
export async function readForm(
  request: IncomingMessage,
  take: (file: FormFile, fields: ReadonlyMap<string, string>) => Promise<void>,
): Promise<{ fields: ReadonlyMap<string, string>; files: number }> {
  const type = request.headers['content-type'] ?? '';
  if (!/^multipart\/form-data\s*;/i.test(type)) throw invalid('The body must be multipart/form-data.');
  let parser: busboy.Busboy;
  try {
    parser = new busboy.Busboy({
      headers: { ...request.headers, 'content-type': type },
      preservePath: true,
      isPartAFile: (_field, partType, filename) => filename !== undefined || partType === 'application/octet-stream',
      limits: {
        fieldNameSize: 200,
        fieldSize: 6_000_000,
        fields: 20_000,
        files: 20_000,
        headerPairs: 50,
        headerSize: 32_000,
        parts: 40_000,
      },
    });
  } catch (error) {
    throw invalid(`The form cannot be read: ${(error as Error).message}`);
  }
  const fields = new Map<string, string>();
  let files = 0;
  let last: Promise<void> = Promise.resolve();
  let failure: Error | undefined;
  const open = new Set<Readable>();
  const each = (file: FormFile): void => {
    files++;
    open.add(file.bytes);
    file.bytes.once('close', () => open.delete(file.bytes));
    const seen = new Map(fields);
    last = last.then(async () => {
      try {
        if (failure !== undefined) return;
        await take(file, seen);
      } catch (error) {
        failure = error as Error;
      } finally {
        file.bytes.resume();
      }
    });
  };
  parser.on('field', (name, value) => {
    if (name === 'content') each({ field: name, filename: undefined, bytes: Readable.from([Buffer.from(value)]) });
    else fields.set(name, value);
  });
  parser.on('file', (field, stream, filename) => each({ field, filename, bytes: stream }));
  await new Promise<void>((resolve, reject) => {
    const broken = (message: string): void => {
      const refusal = invalid(message);
      for (const stream of open) stream.destroy(refusal);
      reject(refusal);
    };
    parser.once('finish', resolve);
    parser.once('error', (error: Error) => broken(`The form cannot be read: ${error.message}`));
    request.once('close', () => {
      if (!request.complete) broken('The upload was broken off: nothing of that file was kept.');
    });
    request.pipe(parser);
  });
  await last;
  if (failure !== undefined) throw failure;
  return { fields, files };
}
