/** Counts requests and times their answers, for all listeners of a server. */
import type { EndpointKey } from '../api/index.ts';
import { CounterVector, HistogramVector, type MetricFamily } from '../std/index.ts';

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);

export class RequestMetrics {
  readonly #requests = new CounterVector(
    'wherry_http_requests_total',
    'Requests answered, by endpoint, method and status',
  );
  readonly #seconds = new HistogramVector(
    'wherry_http_request_duration_seconds',
    'Time until the answer was known; of a stream, until it began',
  );

  /** @param endpoint undefined where there is none: what clients make up must not make series. */
  observe(endpoint: EndpointKey | undefined, method: string, code: number, seconds: number): void {
    const name = endpoint ?? 'none';
    this.#requests.add({ endpoint: name, method: methods.has(method) ? method : 'other', code: String(code) });
    this.#seconds.observe({ endpoint: name }, seconds);
  }

  families(): MetricFamily[] {
    return [this.#requests.family(), this.#seconds.family()];
  }
}
