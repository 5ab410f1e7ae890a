/** What is kept of a build. Times are RFC 3339 with nanoseconds. */
import type { StatusDetail } from '../grpc/status.ts';

export interface BuildRecord {
  /** The client's name for it. */
  readonly ref: string;
  readonly frontend: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly exporters: readonly { type: string; attributes: Readonly<Record<string, string>> }[];
  readonly createdAt: string;
  /** null: it goes on. */
  completedAt: string | null;
  error: { code: number; message: string; details: { typeUrl: string; value: string }[] } | null;
  /** What the exporters answered. */
  response: Readonly<Record<string, string>>;
  /** Not thrown away by age or number. */
  pinned: boolean;
  steps: { total: number; completed: number; cached: number };
  warnings: number;
  /** Counts changes of the record. */
  generation: number;
}

export function detailsOf(details: readonly StatusDetail[]): { typeUrl: string; value: string }[] {
  return details.map(({ typeUrl, value }) => ({ typeUrl, value: Buffer.from(value).toString('base64') }));
}
