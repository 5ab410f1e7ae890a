/** `--secret`: read when a step asks, so that what no step needs need not be there. */
import { readFileSync, statSync } from 'node:fs';
import { Fault, messageOf } from '../../std/index.ts';
import type { SecretSource } from './loans.ts';

/** As BuildKit limits them (session/secrets). */
const maxSecretBytes = 500 * 1024;

/** @throws Fault not-found, invalid when it is too long */
export function readSecret(id: string, source: SecretSource | undefined): Uint8Array {
  if (source !== undefined && 'file' in source) return readSecretFile(id, source.file);
  if (source?.value === undefined) throw new Fault('not-found', `secret ${id}: not found`);
  const value = Buffer.from(source.value);
  if (value.length > maxSecretBytes) throw tooBig(id, value.length);
  return value;
}

function readSecretFile(id: string, file: string): Uint8Array {
  try {
    const { size } = statSync(file);
    if (size > maxSecretBytes) throw tooBig(id, size);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('not-found', `Cannot read secret ${id}: ${messageOf(error)}`, { cause: error });
  }
}

function tooBig(id: string, size: number): Fault {
  return new Fault('invalid', `secret ${id} is too big: ${size} bytes, and ${maxSecretBytes} is the most`);
}
