/** `wherry __complete WORDS…`: what the completion scripts ask. One candidate per line, a tab and a hint; `:files` last where files may stand. */
import { atLeast, type Command } from '../command.ts';
import { complete } from '../completion/candidates.ts';

export const command: Command = {
  use: 'WORD...',
  arity: atLeast(0),
  takesAnything: true,
  async run(session, { args }) {
    const { candidates, files } = await complete(session, args);
    const lines = candidates.map(({ text, hint }) => (hint === '' ? text : `${text}\t${hint}`));
    session.out.write([...lines, ...(files ? [':files'] : [])].map((line) => `${line}\n`).join(''));
  },
};
