/** `wherry build`: says where building is. */
import { atLeast, type Command } from '../command.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS] PATH | URL | -',
  arity: atLeast(0),
  takesAnything: true,
  long: 'Building is not part of this version of Wherry.',
  run() {
    return Promise.reject(
      new Exit(
        1,
        "wherry: building images is not part of this version of Wherry.\nBuild elsewhere and bring the image here: 'docker save IMAGE | wherry load', or push it and 'wherry pull' it.",
      ),
    );
  },
};
