/** A failed build as a gRPC status whose details show the place in the Dockerfile (buildkit, solver/errdefs and util/grpcerrors). */
import { buildFailureOf } from '../../api/index.ts';
import { asGrpcFault, GrpcFault, grpcCode, type StatusDetail } from '../grpc/status.ts';
import { rangeOf, sourceInfoOf, type VertexName } from './status.ts';

/** Details of BuildKit's errors are JSON of its own types, named by these. */
const detailUrl = (name: string): string => `github.com/moby/buildkit/errdefs.${name}+json`;

export function buildFault(error: unknown, nameOf: VertexName): GrpcFault {
  const failure = buildFailureOf(error);
  if (failure === undefined) return asGrpcFault(error);
  const details: StatusDetail[] = [];
  if (failure.vertex !== undefined) details.push(detail('Vertex', { digest: nameOf(failure.vertex) }));
  if (failure.source !== undefined && failure.text !== undefined) {
    const { data, ...info } = sourceInfoOf(failure.source.file, failure.text);
    details.push(
      detail('Source', {
        info: { ...info, data: Buffer.from(data).toString('base64') },
        ranges: [rangeOf(failure.source)],
      }),
    );
  }
  return new GrpcFault(grpcCode.unknown, failure.message, details);
}

function detail(name: string, value: object): StatusDetail {
  return { typeUrl: detailUrl(name), value: Buffer.from(JSON.stringify(value)) };
}
