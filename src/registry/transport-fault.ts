/** A request that got no whole answer, in the words Docker's users search the web for, and how far it came. */
import { getServers } from 'node:dns';
import { STATUS_CODES } from 'node:http';
import { errorCode, Fault, messageOf } from '../std/index.ts';

/**
 * connect: nobody was reached · exchange: the connection broke under way · refused: repeating it would change nothing
 * (certificates, malformed answers).
 */
export type TransportStage = 'connect' | 'exchange' | 'refused';

export class TransportFault extends Fault {
  readonly stage: TransportStage;

  constructor(stage: TransportStage, message: string, options?: { cause?: unknown }) {
    super('internal', message, options);
    this.name = 'TransportFault';
    this.stage = stage;
  }
}

/** Whether it failed because nobody could be reached: what a registry that answers says is another matter. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof TransportFault) return error.stage === 'connect';
  return error instanceof Error && error.cause !== undefined && isUnreachable(error.cause);
}

/** What `request` failed with: `Get "https://…": dial tcp: …`. */
export function requestFault(error: unknown, request: { method: string; url: string; proxied: boolean }): Fault {
  // What the request's own body threw is not the network's.
  if (error instanceof Fault) return error;
  const url = new URL(request.url);
  const { stage, text } = describe(error, url);
  const proxy = request.proxied && text.startsWith('dial tcp') ? 'proxyconnect tcp: ' : '';
  return new TransportFault(stage, `${verb(request.method)} ${JSON.stringify(request.url)}: ${proxy}${text}`, {
    cause: error,
  });
}

/** What reading an answer's body failed with. */
export function bodyFault(error: unknown, url: string): TransportFault {
  const { stage, text } = describe(error, new URL(url));
  // Go's name for an end that comes before the announced one.
  return new TransportFault(stage === 'refused' ? 'exchange' : stage, text === 'EOF' ? 'unexpected EOF' : text, {
    cause: error,
  });
}

/** Go prints the method as a title. */
export function verb(method: string): string {
  return method[0]! + method.slice(1).toLowerCase();
}

interface Description {
  stage: TransportStage;
  text: string;
}

const untrusted = 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
const alerts: Readonly<Record<string, string>> = {
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'certificate required',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'bad certificate',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'handshake failure',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'unknown certificate authority',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'protocol version not supported',
};

function describe(error: unknown, url: URL): Description {
  const cause = firstCause(error);
  const code = errorCode(cause) ?? '';
  const { address, port, syscall } = cause as { address?: string; port?: number; syscall?: string };
  const where = address === undefined ? url.host : `${address}:${port ?? ''}`;
  switch (code) {
    case 'ENOTFOUND':
      return { stage: 'connect', text: `dial tcp: lookup ${url.hostname}${resolver()}: no such host` };
    case 'EAI_AGAIN':
      return { stage: 'connect', text: `dial tcp: lookup ${url.hostname}${resolver()}: server misbehaving` };
    case 'ECONNREFUSED':
      return { stage: 'connect', text: `dial tcp ${where}: connect: connection refused` };
    case 'EHOSTUNREACH':
      return { stage: 'connect', text: `dial tcp ${where}: connect: no route to host` };
    case 'ENETUNREACH':
      return { stage: 'connect', text: `dial tcp ${where}: connect: network is unreachable` };
    case 'ETIMEDOUT':
      if (syscall === 'read') return { stage: 'exchange', text: `read tcp ${where}: i/o timeout` };
      return { stage: 'connect', text: `dial tcp ${where}: i/o timeout` };
    case 'UND_ERR_CONNECT_TIMEOUT':
      return { stage: 'connect', text: `dial tcp ${where}: i/o timeout` };
    case 'UND_ERR_HEADERS_TIMEOUT':
      return { stage: 'exchange', text: 'net/http: timeout awaiting response headers' };
    case 'UND_ERR_BODY_TIMEOUT':
      return { stage: 'exchange', text: `read tcp ${where}: i/o timeout` };
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET':
      return { stage: 'exchange', text: 'EOF' };
    case 'UND_ERR_HEADERS_OVERFLOW':
      return { stage: 'refused', text: 'net/http: server response headers exceeded the limit; aborted' };
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return { stage: 'refused', text: untrusted };
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return {
        stage: 'refused',
        text: 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
      };
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return { stage: 'refused', text: `tls: failed to verify certificate: x509: ${misnamed(cause, url)}` };
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'EPROTO':
      return { stage: 'refused', text: 'http: server gave HTTP response to HTTPS client' };
    default:
  }
  const alert = alerts[code];
  if (alert !== undefined) return { stage: 'refused', text: `remote error: tls: ${alert}` };
  const tunnel = /^Proxy response \((\d+)\)/.exec(messageOf(cause))?.[1];
  if (tunnel !== undefined) return { stage: 'refused', text: STATUS_CODES[tunnel] ?? `status ${tunnel}` };
  if (code.startsWith('HPE_')) {
    return { stage: 'refused', text: `net/http: HTTP/1.x transport connection broken: ${messageOf(cause)}` };
  }
  return { stage: 'refused', text: messageOf(cause) };
}

/** "certificate is valid for a, b, not c". */
function misnamed(error: unknown, url: URL): string {
  const { cert } = error as { cert?: { subjectaltname?: string } };
  const names = (cert?.subjectaltname ?? '').split(', ').map((name) => name.slice(name.indexOf(':') + 1));
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return names[0] === ''
    ? `certificate is not valid for any names, but wanted to match ${host}`
    : `certificate is valid for ${names.join(', ')}, not ${host}`;
}

function firstCause(error: unknown): unknown {
  let cause = error;
  for (let depth = 0; depth < 5; depth++) {
    if (cause instanceof AggregateError && cause.errors.length > 0) cause = cause.errors[0];
    else if (cause instanceof Error && cause.cause !== undefined && isWrapper(errorCode(cause))) cause = cause.cause;
    else break;
  }
  return cause;
}

/** Errors without a code of their own, and that of a TLS connection to a proxy. */
function isWrapper(code: string | undefined): boolean {
  return code === undefined || code === 'UND_ERR_PRX_TLS';
}

function resolver(): string {
  const [server] = getServers();
  if (server === undefined) return '';
  return ` on ${/:\d+$/.test(server) && !server.includes('::') ? server : `${server}:53`}`;
}
