/** `wherry completion SHELL`. */
import { Fault } from '../../std/index.ts';
import { exactly, type Command } from '../command.ts';
import { completionScripts } from '../completion/scripts.ts';

export const command: Command = {
  use: 'bash|zsh|fish',
  arity: exactly(1),
  completes: ['none'],
  examples: `
# For this shell
source <(wherry completion bash)
# For good
wherry completion fish > ~/.config/fish/completions/wherry.fish`,
  async run(session, { args: [shell = ''] }) {
    const script = completionScripts[shell];
    if (script === undefined)
      throw new Fault('invalid', `Cannot complete for "${shell}": the shells are bash, zsh and fish`);
    session.out.write(script);
  },
};
