/** HTTP's numbers: reason phrases, and the table from a fault's kind to a status. */
import type { FaultKind } from '../../std/index.ts';

export const faultStatus: Readonly<Record<FaultKind, number>> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'not-modified': 304,
  'not-implemented': 501,
  unavailable: 503,
  internal: 500,
};

const reasons: Readonly<Record<number, string>> = {
  101: 'Switching Protocols',
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  304: 'Not Modified',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  426: 'Upgrade Required',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
};

export function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${reasons[status] ?? 'Unknown'}\r\n`;
}

/** Statuses whose answers have no body, whatever the request. */
export function bodiless(status: number): boolean {
  return status === 204 || status === 304 || status < 200;
}
