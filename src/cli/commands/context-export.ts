/** `wherry context export`. */
import type { Command } from '../command.ts';
import { existsSync, writeFileSync } from 'node:fs';
import { packTar } from '../../client/index.ts';
import { storeOf } from '../context/describe.ts';
import { Fault } from '../../std/index.ts';

export const command: Command = {
  use: '[OPTIONS] CONTEXT [FILE|-]',
  arity: { min: 1, max: 2 },
  completes: ['context', 'file'],
  examples: `
# Into far.dockercontext
wherry context export far`,
  async run(session, { args: [name = '', file = `${name}.dockercontext`] }) {
    const store = storeOf(session);
    const entries = [
      { path: 'meta.json', body: Buffer.from(JSON.stringify(store.read(name))) },
      ...Object.entries(store.readTls(name)).map(([path, text]) => ({
        path: `tls/docker/${path}`,
        body: Buffer.from(text),
      })),
    ];
    const parts: Buffer[] = [];
    for await (const chunk of packTar(entries.map((entry) => ({ ...entry, type: 'file' as const, mode: 0o644 }))))
      parts.push(Buffer.from(chunk));
    const bytes = Buffer.concat(parts);
    if (file === '-') {
      if (session.out.isTerminal)
        throw new Fault('invalid', 'cowardly refusing to export to a terminal, specify a file path');
      session.out.write(bytes);
      return;
    }
    if (existsSync(file)) throw new Fault('conflict', `open ${file}: file exists`);
    writeFileSync(file, bytes, { mode: 0o600 });
    session.err.write(`Written file "${file}"\n`);
  },
};
