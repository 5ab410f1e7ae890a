/** Memory for bodies that are read whole, of all connections together: each has its limit, and many clients at once must not add them up. */

/** Bodies below this cost nothing: clients that mean well send no more. */
const free = 256 * 1024;

export class BodyBudget {
  #left: number;

  constructor(bytes = 64 << 20) {
    this.#left = bytes;
  }

  /** @returns whether there was room for a body to grow from `before` to `after` bytes */
  grow(before: number, after: number): boolean {
    const more = cost(after) - cost(before);
    if (more > this.#left) return false;
    this.#left -= more;
    return true;
  }

  giveBack(bytes: number): void {
    this.#left += cost(bytes);
  }
}

function cost(bytes: number): number {
  return bytes <= free ? 0 : bytes;
}
