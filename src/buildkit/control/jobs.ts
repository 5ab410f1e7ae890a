/** Jobs by their reference. Who asks for a job that is not there yet waits for it. */
import { Fault } from '../../std/index.ts';
import { Arrivals } from '../arrivals.ts';
import type { Job } from './job.ts';

const patienceMs = 5_000;
/** A finished job is still there for the Status that comes late. */
const lingerMs = 5_000;

export class Jobs {
  readonly #jobs = new Arrivals<Job>();

  /** @throws Fault conflict */
  add(job: Job): void {
    const { ref } = job.request;
    if (this.#jobs.has(ref)) throw new Fault('conflict', `job ID ${ref} exists`);
    this.#jobs.set(ref, job);
  }

  remove(job: Job): void {
    job.finish();
    setTimeout(() => this.#jobs.delete(job.request.ref), lingerMs).unref();
  }

  /** Whether it is here, and its one client does not follow it yet. */
  isFollowable(ref: string): boolean {
    const job = this.#jobs.peek(ref);
    return job !== undefined && !job.isFollowed;
  }

  /** @throws Fault not-found when it does not come in time */
  async get(ref: string | undefined, signal: AbortSignal): Promise<Job> {
    if (ref === undefined || ref === '') throw new Fault('invalid', 'no build id in the call');
    const job = await this.#jobs.get(ref, patienceMs, signal);
    if (job === undefined) throw new Fault('not-found', `no such job ${ref}`);
    return job;
  }
}
