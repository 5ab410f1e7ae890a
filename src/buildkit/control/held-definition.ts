/**
 * What this engine built, in LLB's words: a client that builds one target on another (`docker buildx bake`, `context name=target:…`)
 * asks for the first one's definition and hands it to the second as an input. It never looks inside, and neither is any LLB run here:
 * the definition is one source that names the held build (buildkit, solver/pb/ops.proto).
 */
import { createHash } from 'node:crypto';
import { Fault } from '../../std/index.ts';
import { definition, op } from '../message/llb.ts';
import { decode, encode } from '../protobuf/codec.ts';
import type { MessageInit } from '../protobuf/field.ts';

const scheme = 'wherry-build://';

/** The source, and the last operation, whose input it is. */
export function definitionOf(build: string): MessageInit<typeof definition> {
  const source = encode(op, { source: { identifier: `${scheme}${build}` } });
  const digest = `sha256:${createHash('sha256').update(source).digest('hex')}`;
  return { def: [source, encode(op, { inputs: [{ digest, index: 0 }] })], metadata: new Map([[digest, {}]]) };
}

/** The build that an input stands for. @throws Fault not-implemented where it is a definition of the client's own */
export function buildOf(name: string, input: Uint8Array): string {
  for (const each of decode(definition, input).def) {
    const identifier = decode(op, each).source?.identifier;
    if (identifier?.startsWith(scheme) === true) return identifier.slice(scheme.length);
  }
  throw new Fault(
    'not-implemented',
    `Cannot use the input ${JSON.stringify(name)}: this builder takes images, folders, URLs and its own builds as contexts, not LLB`,
  );
}
