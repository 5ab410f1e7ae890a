/** How a call ended: gRPC's codes (grpc/doc/statuscodes.md), the trailers that carry them, and our faults in their terms. */
import type { IncomingHttpHeaders } from 'node:http2';
import { Fault, type FaultKind, faultKind, messageOf } from '../../std/index.ts';
import { rpcStatus } from '../message/common.ts';
import { decode, encode } from '../protobuf/codec.ts';

export const grpcCode = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

const codes: Readonly<Record<FaultKind, number>> = {
  invalid: grpcCode.invalidArgument,
  'not-found': grpcCode.notFound,
  conflict: grpcCode.failedPrecondition,
  'not-modified': grpcCode.failedPrecondition,
  unauthorized: grpcCode.unauthenticated,
  forbidden: grpcCode.permissionDenied,
  unavailable: grpcCode.unavailable,
  'not-implemented': grpcCode.unimplemented,
  internal: grpcCode.unknown,
};

const kinds = new Map<number, FaultKind>(
  Object.entries(codes)
    .map(([kind, code]) => [code, kind as FaultKind] as const)
    .filter(([, kind]) => kind !== 'not-modified'),
);

/** A google.protobuf.Any of `grpc-status-details-bin`. */
export interface StatusDetail {
  typeUrl: string;
  value: Uint8Array;
}

/** A call's failure, from the peer or for it. A Fault, so that it may cross the room's door as it is. */
export class GrpcFault extends Fault {
  readonly code: number;
  readonly details: readonly StatusDetail[];

  constructor(code: number, message: string, details: readonly StatusDetail[] = []) {
    super(kinds.get(code) ?? 'internal', message);
    this.name = 'GrpcFault';
    this.code = code;
    this.details = details;
  }
}

export function asGrpcFault(error: unknown): GrpcFault {
  if (error instanceof GrpcFault) return error;
  return new GrpcFault(codes[faultKind(error)], messageOf(error));
}

export function okTrailers(): Record<string, string> {
  return { 'grpc-status': String(grpcCode.ok) };
}

export function faultTrailers({ code, message, details }: GrpcFault): Record<string, string> {
  const trailers: Record<string, string> = { 'grpc-status': String(code), 'grpc-message': percentEncode(message) };
  if (details.length > 0) {
    trailers['grpc-status-details-bin'] = encode(rpcStatus, { code, message, details }).toString('base64');
  }
  return trailers;
}

/** undefined when the call went well. */
export function trailersFault(headers: IncomingHttpHeaders): GrpcFault | undefined {
  const code = Number(headers['grpc-status'] ?? grpcCode.unknown);
  if (code === grpcCode.ok) return undefined;
  const message = percentDecode(String(headers['grpc-message'] ?? `gRPC status ${code}`));
  const packed = headers['grpc-status-details-bin'];
  const details = typeof packed === 'string' ? decode(rpcStatus, Buffer.from(packed, 'base64')).details : [];
  return new GrpcFault(code, message, details);
}

/** Percent-encoding of all but printable ASCII (PROTOCOL-HTTP2.md, Status-Message), cut so that a peer's header limit holds. */
function percentEncode(message: string): string {
  const limited = message.length > 4096 ? `${message.slice(0, 4096)}…` : message;
  return [...Buffer.from(limited)]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}

/** What is no valid escape stays as it is. */
function percentDecode(message: string): string {
  const bytes = Buffer.from(
    message.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  );
  return bytes.toString();
}
