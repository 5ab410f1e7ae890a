/** From a request to its reply: path and version, route, access, handler; every fault becomes Docker's error JSON. */
import { endpoints, type Engine, latestVersion, minimumVersion, parseVersion } from '../api/index.ts';
import { explainDiskError, faultKind, type Logger, messageOf } from '../std/index.ts';
import { Call, type CallParts } from './call.ts';
import { handlers } from './handlers/table.ts';
import { notSwarmManager } from './handlers/system.ts';
import { BodyTooLarge } from './http/body.ts';
import type { HttpRequest } from './http/connection.ts';
import { MalformedRequest } from './http/head.ts';
import { ClientGone } from './http/input.ts';
import { empty, failure, type Reply, type WholeReply } from './http/reply.ts';
import { faultStatus } from './http/status.ts';
import { Query } from './query.ts';
import type { RequestMetrics } from './request-metrics.ts';
import { isSwarmPath, type Route, Router } from './router.ts';

export interface DispatchOptions {
  readonly engine: Engine;
  readonly logger: Logger;
  readonly readOnly: boolean;
  readonly local: boolean;
  /** Nothing but `/metrics` is served. */
  readonly metricsOnly: boolean;
  readonly requests: RequestMetrics;
  readonly building: CallParts['building'];
}

/** Makes the function that answers the requests of one listener. */
export function createDispatch(options: DispatchOptions): (request: HttpRequest) => Promise<Reply> {
  const router = new Router();
  return async (request) => {
    const started = performance.now();
    let reply: Reply;
    let route: Route | undefined;
    try {
      const target = parseTarget(request.head.target);
      route = router.find(request.head.method, target.path);
      reply = await dispatch(route, target, options, request);
    } catch (error) {
      if (error instanceof MalformedRequest || error instanceof ClientGone) throw error;
      reply = failureOf(options.logger, request, error);
    }
    const status = reply.kind === 'raw' ? 101 : reply.status;
    const ms = performance.now() - started;
    options.requests.observe(route?.key, request.head.method, status, ms / 1000);
    options.logger.debug('request', {
      method: request.head.method,
      path: pathOf(request),
      status,
      ms: Math.round(ms * 10) / 10,
    });
    return reply;
  };
}

async function dispatch(
  route: Route | undefined,
  { path, query, versionText }: Target,
  options: DispatchOptions,
  request: HttpRequest,
): Promise<Reply> {
  const { head, body, signal } = request;
  if (options.metricsOnly) {
    if (path !== endpoints.metrics.path || versionText !== undefined) return failure(404, 'page not found');
    if (route === undefined) {
      const refused = failure(405, `Cannot ${head.method} ${path}: only GET and HEAD`);
      return { ...refused, headers: { ...refused.headers, Allow: 'GET, HEAD' } };
    }
  }
  if (head.method === 'OPTIONS') return empty(200);
  // Below us texts end at a NUL: what was checked would not be what is done.
  if (path.includes('\0') || query.includes('%00'))
    return failure(400, 'invalid request: NUL bytes in its path or query');
  if (route === undefined && !isSwarmPath(path)) return failure(404, 'page not found');
  const asked = versionText === undefined ? { version: latestVersion } : parseVersion(versionText);
  if ('refusal' in asked) return refuseVersion(versionText!, asked.refusal);
  if (route === undefined) return notSwarmManager();
  if (options.readOnly && route.endpoint.access === 'write') {
    return failure(403, `Cannot ${head.method} ${path}: this socket is read-only`);
  }
  const call = new Call({
    engine: options.engine,
    version: asked.version,
    head,
    query: new Query(query),
    parameters: route.parameters,
    body,
    signal,
    logger: options.logger,
    local: options.local,
    requests: options.requests,
    building: options.building,
  });
  return handlers[route.key](call);
}

interface Target {
  /** Decoded, without the version. */
  readonly path: string;
  readonly query: string;
  readonly versionText: string | undefined;
}

/** @throws MalformedRequest for broken percent encoding. */
export function parseTarget(target: string): Target {
  const mark = target.indexOf('?');
  let path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark + 1);
  const fragment = path.indexOf('#');
  if (fragment >= 0) path = path.slice(0, fragment);
  if (path.includes('%')) {
    try {
      path = decodeURIComponent(path);
    } catch {
      throw new MalformedRequest('malformed percent encoding in the path');
    }
  }
  const match = /^\/v([0-9.]+)(\/.*)$/s.exec(path);
  return match === null ? { path, query, versionText: undefined } : { path: match[2]!, query, versionText: match[1]! };
}

/** Clients older than 1.24 did not read JSON errors. */
function refuseVersion(asked: string, message: string): WholeReply {
  const [major = 0, minor = 0] = asked.split('.').map(Number);
  if (major > 1 || (major === 1 && minor >= minimumVersion)) return failure(400, message);
  return {
    kind: 'whole',
    status: 400,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' },
    body: `${message}\n`,
  };
}

function failureOf(logger: Logger, request: HttpRequest, thrown: unknown): WholeReply {
  const error = explainDiskError(thrown);
  const status = error instanceof BodyTooLarge ? 413 : faultStatus[faultKind(error)];
  const message = messageOf(error);
  if (status === 500) {
    logger.error('request failed', { method: request.head.method, path: pathOf(request), error: message });
  }
  return failure(status, message);
}

/** The path for the log: query strings may carry secrets. */
function pathOf({ head }: HttpRequest): string {
  return head.target.split('?', 1)[0]!;
}
