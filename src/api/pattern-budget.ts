/**
 * Regular expressions that clients send, matched within a budget of time. Docker's are Go's, which never backtrack; JavaScript's can do
 * so without end, and would hold up everybody else.
 */
import { type Context, createContext, Script } from 'node:vm';
import { errorCode } from '../std/index.ts';

/** For all matches of one request. */
const budgetMs = 100;
/** Without choices and groups and with one quantifier, a text of this length takes at most some hundred thousand steps. */
const shortText = 512;

export class PatternBudget {
  #left = budgetMs;
  #pattern: { readonly text: string; readonly expression: RegExp | undefined } | undefined;

  /** Whether the expression matches one of the texts: false for what is no expression, undefined when the time is up. */
  test(pattern: string, texts: readonly string[]): boolean | undefined {
    this.#pattern = this.#pattern?.text === pattern ? this.#pattern : { text: pattern, expression: compile(pattern) };
    const { expression } = this.#pattern;
    if (expression === undefined) return false;
    const isTame = isTamePattern(pattern);
    for (const text of texts) {
      const matches = isTame && text.length <= shortText ? expression.test(text) : this.#guarded(expression, text);
      if (matches !== false) return matches;
    }
    return false;
  }

  #guarded(expression: RegExp, text: string): boolean | undefined {
    if (this.#left <= 0) return undefined;
    const started = performance.now();
    try {
      return guard().test(expression, text, Math.ceil(this.#left));
    } catch (error) {
      if (errorCode(error) === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined;
      // Deeper than the stack.
      return false;
    } finally {
      this.#left -= performance.now() - started;
    }
  }
}

/** Without groups and choices, one quantifier can be tried from each place at most. */
function isTamePattern(pattern: string): boolean {
  return !/[(|]/.test(pattern) && (pattern.match(/[*+?{]/g)?.length ?? 0) <= 1;
}

function compile(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern);
  } catch {
    return undefined;
  }
}

let made: Guard | undefined;

function guard(): Guard {
  return (made ??= new Guard());
}

/** Only a script can be stopped after a time, in the middle of a match too. */
class Guard {
  readonly #context: Context = createContext(Object.create(null) as Context);
  readonly #script = new Script('expression.test(text)');

  test(expression: RegExp, text: string, timeout: number): boolean {
    this.#context['expression'] = expression;
    this.#context['text'] = text;
    try {
      return this.#script.runInContext(this.#context, { timeout }) as boolean;
    } finally {
      this.#context['expression'] = this.#context['text'] = undefined;
    }
  }
}
