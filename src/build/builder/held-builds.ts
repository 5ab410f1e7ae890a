/** Builds whose outcome others stand on (`context name=target:…`): kept by whoever asked for them, until they are let go of. */
import type { Content, Hold } from '../../content/index.ts';
import { chainIds, type ImageConfig } from '../../oci/index.ts';
import type { LayerHold, Snapshots } from '../../snapshot/index.ts';
import { Fault } from '../../std/index.ts';
import type { BuiltRoot } from '../result/root.ts';

export interface HeldState {
  root: BuiltRoot;
  config: ImageConfig;
}

interface Held {
  state: HeldState;
  blobs: Hold;
  layers: LayerHold;
}

export class HeldBuilds {
  readonly #stores: { content: Content; snapshots: Snapshots };
  readonly #held = new Map<string, Held>();

  constructor(stores: { content: Content; snapshots: Snapshots }) {
    this.#stores = stores;
  }

  /** While the build still holds what it made. */
  add(id: string, state: HeldState): void {
    this.release(id);
    const held = { state, blobs: this.#stores.content.hold(), layers: this.#stores.snapshots.hold() };
    for (const chain of chainIds(state.root.diffIds)) held.layers.add(chain);
    for (const { digest } of state.root.layers) held.blobs.add(digest);
    this.#held.set(id, held);
  }

  /** @throws Fault not-found */
  get(id: string): HeldState {
    const held = this.#held.get(id);
    if (held === undefined)
      throw new Fault('not-found', `Cannot build on build ${id}: its result is not kept any more`);
    return held.state;
  }

  release(id: string): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    held.blobs[Symbol.dispose]();
    held.layers[Symbol.dispose]();
  }
}
