/** `wherry context import`. */
import { exactly, type Command } from '../command.ts';
import { createReadStream } from 'node:fs';
import { collectBytes, Fault } from '../../std/index.ts';
import { readTar } from '../../client/index.ts';
import { checkContextName, storeOf } from '../context/describe.ts';
import type { ContextMeta, TlsFiles } from '../../context/index.ts';

export const command: Command = {
  use: 'CONTEXT FILE|-',
  arity: exactly(2),
  completes: ['none', 'file'],
  examples: `
# What 'context export' wrote
wherry context import far far.dockercontext`,
  async run(session, { args: [name = '', file = ''] }) {
    checkContextName(name);
    const store = storeOf(session);
    if (store.has(name)) throw new Fault('conflict', `context "${name}" already exists`);
    const source = file === '-' ? session.in.read() : (createReadStream(file) as AsyncIterable<Uint8Array>);
    let meta: ContextMeta | undefined;
    const tls: TlsFiles = {};
    for await (const entry of readTar(source)) {
      if (entry.type !== 'file') continue;
      const text = (await collectBytes(entry.body, 10 << 20)).toString('utf8');
      const part = /^tls\/docker\/(ca\.pem|cert\.pem|key\.pem)$/.exec(entry.path)?.[1];
      if (entry.path === 'meta.json') meta = JSON.parse(text) as ContextMeta;
      else if (part !== undefined) tls[part as keyof TlsFiles] = text;
    }
    if (meta === undefined) throw new Fault('invalid', 'invalid context: no metadata found');
    store.write({ ...meta, Name: name });
    store.writeTls(name, tls);
    session.out.write(`${name}\n`);
    session.err.write(`Successfully imported context "${name}"\n`);
  },
};
