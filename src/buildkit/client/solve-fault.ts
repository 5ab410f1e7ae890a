/** Why a build failed, with what the builder knows of the place (buildkit, solver/errdefs): the details of the call's status. */
import { Fault } from '../../std/index.ts';
import { GrpcFault, grpcCode } from '../grpc/status.ts';
import type { SourceRange, SourceText } from './status.ts';

export interface FailedSource {
  source: SourceText;
  ranges: readonly SourceRange[];
}

export class SolveFault extends Fault {
  /** Where in a Dockerfile. */
  readonly sources: readonly FailedSource[];
  /** The digest of the step that failed. */
  readonly vertex: string | undefined;
  /** The build was told to stop. */
  readonly isCanceled: boolean;

  constructor(cause: GrpcFault) {
    super(cause.kind, cause.message, { cause });
    this.name = 'SolveFault';
    this.isCanceled = cause.code === grpcCode.canceled;
    const details = cause.details.flatMap(({ typeUrl, value }) => {
      const name = /errdefs\.(\w+)\+json$/.exec(typeUrl)?.[1];
      return name === undefined ? [] : [{ name, fields: fieldsOf(value) }];
    });
    this.sources = details.filter(({ name }) => name === 'Source').flatMap(({ fields }) => sourceOf(fields));
    const digest = details.find(({ name }) => name === 'Vertex')?.fields['digest'];
    this.vertex = typeof digest === 'string' ? digest : undefined;
  }
}

function fieldsOf(value: Uint8Array): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(value).toString());
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

interface SourceDetail {
  info?: { filename?: string; data?: string; language?: string };
  ranges?: { start?: Partial<SourceRange['start']>; end?: Partial<SourceRange['end']> }[];
}

function sourceOf(fields: Record<string, unknown>): FailedSource[] {
  const { info, ranges = [] } = fields as SourceDetail;
  if (info === undefined) return [];
  const { filename = '', data = '', language = '' } = info;
  const place = ({ line = 0, character = 0 }: Partial<SourceRange['start']> = {}): SourceRange['start'] => ({
    line,
    character,
  });
  return [
    {
      source: { filename, text: Buffer.from(data, 'base64').toString(), language },
      ranges: ranges.map(({ start, end }) => ({ start: place(start), end: place(end ?? start) })),
    },
  ];
}
