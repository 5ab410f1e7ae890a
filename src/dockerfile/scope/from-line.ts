/** A FROM line with the global scope's values put in. */
import { expand, type Expansion, ExpansionError } from '../expand/expand.ts';
import type { FromInstruction } from '../instruction/types.ts';
import { SyntaxProblem } from '../source/problem.ts';
import type { Word } from '../source/range.ts';
import { didYouMean } from '../suggest.ts';
import type { EscapeToken } from '../text/read-lines.ts';

export interface ExpandedFrom {
  readonly image: Expansion;
  readonly platform: Expansion | undefined;
}

export interface FromScope {
  readonly variables: ReadonlyMap<string, string>;
  readonly escape: EscapeToken;
}

/** Nothing is required of the values: `settledFrom` is for who builds. @throws SyntaxProblem `bad-substitution` */
export function expandFrom(from: FromInstruction, { variables, escape }: FromScope): ExpandedFrom {
  const one = (word: Word): Expansion => {
    try {
      return expand(word.text, variables, { escape });
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error;
      throw new SyntaxProblem('bad-substitution', error.message, word.range);
    }
  };
  return { image: one(from.image), platform: from.platform === undefined ? undefined : one(from.platform) };
}

/** The image and platform a stage is built on. @throws SyntaxProblem in BuildKit's words where either comes out empty */
export function settledFrom(from: FromInstruction, scope: FromScope): { image: string; platform: string | undefined } {
  const { image, platform } = expandFrom(from, scope);
  if (image.text === '') {
    const message = `base name (${from.image.text}) should not be blank`;
    throw new SyntaxProblem('blank-base', message, from.image.range);
  }
  if (platform?.text === '') {
    const hints = [...platform.missing].map((name) => didYouMean(name, scope.variables.keys()));
    const hint = hints.find((one) => one !== '') ?? '';
    const message = `empty platform value from expression ${from.platform!.text}${hint}`;
    throw new SyntaxProblem('blank-platform', message, from.platform!.range);
  }
  return { image: image.text, platform: platform?.text };
}
