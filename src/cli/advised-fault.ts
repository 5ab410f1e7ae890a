/** A failure together with what to do about it, where only the command that failed can know. */
import { Fault } from '../std/index.ts';

export class AdvisedFault extends Fault {
  /** What failed, in its own words. */
  readonly failure: Fault;
  readonly advice: string;

  constructor(failure: Fault, advice: string) {
    super(failure.kind, failure.message, { cause: failure });
    this.name = 'AdvisedFault';
    this.failure = failure;
    this.advice = advice;
  }
}
