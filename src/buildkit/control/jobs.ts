/** Jobs by their reference. The calls of one build come in any order: who asks for a job that is not there yet waits for it. */
import { Fault } from '../../std/index.ts';
import type { Job } from './job.ts';

const patienceMs = 5_000;
/** A finished job is still there for the Status that comes late. */
const lingerMs = 5_000;

export class Jobs {
  readonly #jobs = new Map<string, Job>();
  readonly #waiting = new Set<() => void>();

  /** @throws Fault conflict */
  add(job: Job): void {
    const { ref } = job.request;
    if (this.#jobs.has(ref)) throw new Fault('conflict', `job ID ${ref} exists`);
    this.#jobs.set(ref, job);
    for (const wake of this.#waiting) wake();
  }

  remove(job: Job): void {
    job.finish();
    setTimeout(() => this.#jobs.delete(job.request.ref), lingerMs).unref();
  }

  /** @throws Fault not-found when it does not come in time */
  async get(ref: string | undefined, signal: AbortSignal): Promise<Job> {
    if (ref === undefined || ref === '') throw new Fault('invalid', 'no build id in the call');
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
    for (;;) {
      const job = this.#jobs.get(ref);
      if (job !== undefined) return job;
      if (deadline.aborted) throw new Fault('not-found', `no such job ${ref}`);
      await this.#change(deadline);
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
