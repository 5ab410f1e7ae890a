interface Change {
  readonly name: string;
  readonly value: string;
  readonly before: Change | undefined;
}

/**
 * Names and values at one moment. Each change makes a new one that shares all the rest, so that thousands of steps can each keep theirs.
 */
export class Environment {
  static readonly empty = new Environment(undefined);

  readonly #last: Change | undefined;

  private constructor(last: Change | undefined) {
    this.#last = last;
  }

  with(name: string, value: string): Environment {
    return new Environment({ name, value, before: this.#last });
  }

  /** In the order the names first came, each with its last value. */
  entries(): (readonly [string, string])[] {
    const changes: (readonly [string, string])[] = [];
    for (let at = this.#last; at !== undefined; at = at.before) changes.push([at.name, at.value]);
    return [...new Map(changes.reverse())];
  }
}
