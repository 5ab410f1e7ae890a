/** Who needs which layers: owners that name theirs when asked, and holds of work in progress. */

/** Keeps layers from collections until disposed; then what of it nobody needs goes. */
export interface LayerHold extends Disposable {
  add(chainId: string): void;
}

export class LayerOwners {
  readonly #owners: (() => Iterable<string>)[] = [];
  readonly #held = new Map<string, number>();

  addOwner(live: () => Iterable<string>): void {
    this.#owners.push(live);
  }

  live(): Set<string> {
    const live = new Set<string>();
    for (const owner of this.#owners) for (const chainId of owner()) live.add(chainId);
    return live;
  }

  isHeld(chainId: string): boolean {
    return this.#held.has(chainId);
  }

  /** `onEnd` hears of what the hold kept, when it keeps it no more. */
  hold(onEnd: (chainIds: ReadonlySet<string>) => void): LayerHold {
    const mine = new Set<string>();
    let ended = false;
    return {
      add: (chainId) => {
        if (mine.has(chainId)) return;
        mine.add(chainId);
        this.#held.set(chainId, (this.#held.get(chainId) ?? 0) + 1);
      },
      [Symbol.dispose]: () => {
        if (ended) return;
        ended = true;
        for (const chainId of mine) {
          const count = this.#held.get(chainId)! - 1;
          if (count === 0) this.#held.delete(chainId);
          else this.#held.set(chainId, count);
        }
        onEnd(mine);
      },
    };
  }
}
