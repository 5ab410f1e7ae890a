/** What becomes of a pull whose registry nobody can reach: advice, or the image itself where that was asked for. */
import type { ProgressMessage } from '../api/index.ts';
import type { ImageStore } from '../image/index.ts';
import { isUnreachable } from '../registry/index.ts';
import { Fault, faultKind, messageOf } from '../std/index.ts';
import type { Bootstrap } from './bootstrap.ts';

type Pull = ImageStore['pull'];

/**
 * A registry that answers has the last word, whatever it says. `always`: the daemon's setting; else a pull says it.
 * `bootstrap` comes late, since it pulls nothing and builds on the same images.
 */
export function fallingBack(pull: Pull, options: { bootstrap: () => Bootstrap; always: boolean }): Pull {
  return async (request, signal) => {
    try {
      return await pull(request, signal);
    } catch (error) {
      const asked = nameOf(request);
      if (signal.aborted || !isUnreachable(error) || asked === undefined) throw error;
      const bootstrap = options.bootstrap();
      const isHost = request.platform === undefined || request.platform === '';
      const name = isHost ? bootstrap.nameFor(asked) : undefined;
      if (name === undefined) throw error;
      if (request.bootstrap ?? options.always)
        return made(error, name, await bootstrap.make([name], { refresh: false }, signal));
      throw new Fault(
        faultKind(error),
        `${messageOf(error)}\nThe registry cannot be reached. This machine can make ${name} from its own package sources: wherry image bootstrap ${name}`,
        { cause: error },
      );
    }
  };
}

async function* made(
  error: unknown,
  name: string,
  messages: AsyncIterable<ProgressMessage>,
): AsyncGenerator<ProgressMessage, void, void> {
  yield { status: `${messageOf(error)}: making ${name} from this machine's own package sources instead` };
  yield* messages;
}

/** Undefined where every tag is meant, or a digest. */
function nameOf({ image, tag }: Parameters<Pull>[0]): string | undefined {
  if (image.includes('@') || tag?.includes(':') === true) return undefined;
  const hasTag = image.lastIndexOf(':') > image.lastIndexOf('/');
  if (tag === undefined || tag === '') return hasTag ? image : undefined;
  return `${hasTag ? image.slice(0, image.lastIndexOf(':')) : image}:${tag}`;
}
