/** `wherry system dial-stdio`. */
import { noArgs, type Command } from '../command.ts';

export const command: Command = {
  use: '',
  flags: ``,
  arity: noArgs,
  examples: `
# What -H ssh:// runs at the other end
wherry system dial-stdio`,
  async run(session) {
    const wire = await (await session.client()).raw();
    const up = async (): Promise<void> => {
      for await (const chunk of session.in.read()) await wire.write(chunk);
      wire.endWriting();
    };
    up().catch(() => wire.destroy());
    for (let chunk = await wire.read(); chunk !== undefined; chunk = await wire.read()) session.out.write(chunk);
  },
};
