/** `--secret`: read when a step asks, so that what no step needs need not be there. */
import { readFile, stat } from 'node:fs/promises';
import { Fault, messageOf } from '../../std/index.ts';
import type { SecretSource } from './loans.ts';

/** As BuildKit limits them (session/secrets). */
const maxSecretBytes = 500 * 1024;

/** @throws Fault not-found, invalid when it is too long */
export async function readSecret(id: string, source: SecretSource | undefined): Promise<Uint8Array> {
  if (source !== undefined && 'file' in source) return await readSecretFile(id, source.file);
  if (source?.value === undefined) throw new Fault('not-found', `secret ${id}: not found`);
  const value = Buffer.from(source.value);
  if (value.length > maxSecretBytes) throw tooBig(id, value.length);
  return value;
}

async function readSecretFile(id: string, file: string): Promise<Uint8Array> {
  const cannot = (error: unknown): Fault =>
    new Fault('not-found', `Cannot read secret ${id}: ${messageOf(error)}`, { cause: error });
  const { size } = await stat(file).catch((error: unknown) => {
    throw cannot(error);
  });
  if (size > maxSecretBytes) throw tooBig(id, size);
  return await readFile(file).catch((error: unknown) => {
    throw cannot(error);
  });
}

function tooBig(id: string, size: number): Fault {
  return new Fault('invalid', `secret ${id} is too big: ${size} bytes, and ${maxSecretBytes} is the most`);
}
