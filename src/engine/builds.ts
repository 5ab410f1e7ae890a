/** The engine without a builder: nothing is built, and nothing is kept of what was. */
import type { Builds } from '../api/index.ts';
import { Channel, Fault } from '../std/index.ts';

export function openBuilds(): Builds {
  const none = new Fault('not-implemented', 'Cannot build: this engine has no builder');
  return {
    run: () => {
      const result = Promise.reject(none);
      result.catch(() => {});
      const events = new Channel<never>();
      events.close();
      return { events, result };
    },
    failed: async () => [],
    debugImage: async () => {
      throw new Fault('not-found', 'No build has failed since the engine started');
    },
    cache: async () => [],
    prune: async () => ({ deleted: [], reclaimed: 0 }),
  };
}
