/** How requests went, by endpoint. Labels come from tables, so that no client can make up series. */
import { type EndpointKey, endpoints } from '../api/index.ts';
import { CounterVector, HistogramVector, type MetricFamily } from '../std/index.ts';

const methods = new Set<string>(Object.values(endpoints).map(({ method }) => method));

export class RequestMetrics {
  readonly #requests = new CounterVector(
    'wherry_http_requests_total',
    'Requests to the API by endpoint, method and status code; endpoint "none" is what no endpoint answers',
  );
  readonly #seconds = new HistogramVector(
    'wherry_http_request_duration_seconds',
    'Time until the answer began: of logs, events and other streams, not until it ended',
  );

  /** @param key undefined: no endpoint. @param seconds until the answer's head */
  observe(key: EndpointKey | undefined, method: string, status: number, seconds: number): void {
    const labels = { endpoint: key ?? 'none', method: methods.has(method) ? method : 'other' };
    this.#requests.add({ ...labels, code: String(status) });
    this.#seconds.observe(labels, seconds);
  }

  families(): MetricFamily[] {
    return [this.#requests.family(), this.#seconds.family()];
  }
}
