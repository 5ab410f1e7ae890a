/**
 * What all variables of one Dockerfile may come to, together. A value that is made of the one before, four times, is a short line; some
 * thousand of them must not be a full memory.
 */
import { SyntaxProblem } from '../source/problem.ts';

/** Characters: eight times what all values of a stage may have. */
const most = 64 << 20;

export class TextBudget {
  #left = most;

  /** @throws SyntaxProblem `too-much-text` */
  spend(characters: number): void {
    this.#left -= characters;
    if (this.#left < 0) throw new SyntaxProblem('too-much-text', `its variables expand to more than ${most >> 20} MiB`);
  }
}
