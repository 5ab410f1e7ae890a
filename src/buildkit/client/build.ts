/**
 * Asks a daemon for a build, as `docker buildx` does: a session on which the user's things are lent, and Solve and Status beside it. A daemon
 * that speaks BuildKit's wire may be Docker's.
 */
import type { Duplex } from 'node:stream';
import { randomId } from '../../std/index.ts';
import { type GrpcCall, GrpcClient } from '../grpc/client.ts';
import { serveGrpc } from '../grpc/server.ts';
import { asGrpcFault, GrpcFault } from '../grpc/status.ts';
import {
  solveRequest as solveTable,
  solveResponse as solvedTable,
  statusRequest,
  statusResponse,
} from '../message/control.ts';
import { empty } from '../message/common.ts';
import { returnRequest, solveRequest as frontendTable, solveResponse as frontendResult } from '../message/gateway.ts';
import { sessionMethods } from './lend.ts';
import type { Loans } from './loans.ts';
import { Landings } from './output/landing.ts';
import { SolveFault } from './solve-fault.ts';
import { type SolveStatus, solveStatus } from './status.ts';

/** Opens one of the two doors, past its HTTP head. @throws Fault */
export type Connect = (
  door: 'session' | 'grpc',
  headers: Readonly<Record<string, string | readonly string[]>>,
) => Promise<Duplex>;

export interface BuildAsk {
  /** Of dockerfile.v0 (buildkit, frontend/dockerui): "filename", "target", "build-arg:NAME", … */
  options: ReadonlyMap<string, string>;
  exporters: readonly Attributed[];
  cacheImports: readonly Attributed[];
  cacheExports: readonly Attributed[];
  entitlements: readonly string[];
  /** Builds of the same key share copies of what is lent. */
  sharedKey: string;
}

export interface Attributed {
  type: string;
  attributes: ReadonlyMap<string, string>;
}

export interface BuildAnswer {
  /** How the build is called in the daemon. */
  ref: string;
  /** "containerimage.digest", "image.name", … */
  exported: ReadonlyMap<string, string>;
  /** What was asked for instead of a build: "result.txt", "result.json", "result.statuscode". */
  metadata: ReadonlyMap<string, string>;
}

const control = '/moby.buildkit.v1.Control';
const bridge = '/moby.buildkit.v1.frontend.LLBBridge';

/** How long a cancelled build may take to say its last. */
const partingMs = 3_000;

/**
 * Runs it to its end and tells of its progress until then. Aborting cancels it: it fails with `isCanceled` once the daemon has let go.
 * @throws SolveFault when the build failed; Fault when the daemon cannot be reached
 */
export async function askBuild(
  connect: Connect,
  ask: BuildAsk,
  loans: Loans,
  { onStatus, signal }: { onStatus: (status: SolveStatus) => void; signal: AbortSignal },
): Promise<BuildAnswer> {
  const session = randomId();
  using landings = new Landings();
  const methods = sessionMethods(loans, landings);
  const [lending, asking] = await Promise.all([
    connect('session', {
      'X-Docker-Expose-Session-Uuid': session,
      'X-Docker-Expose-Session-Name': '',
      'X-Docker-Expose-Session-Sharedkey': ask.sharedKey,
      'X-Docker-Expose-Session-Grpc-Method': methods.paths,
    }),
    connect('grpc', {}),
  ]);
  void serveGrpc(lending, methods);
  using client = new GrpcClient(asking);
  try {
    const answer = await solve(client, ask, session, { onStatus, signal });
    landings.land();
    return answer;
  } finally {
    lending.destroy();
  }
}

async function solve(
  client: GrpcClient,
  ask: BuildAsk,
  session: string,
  { onStatus, signal }: { onStatus: (status: SolveStatus) => void; signal: AbortSignal },
): Promise<BuildAnswer> {
  // As long as BuildKit's own: people read it in the history, and type it.
  const ref = randomId().slice(0, 25);
  // What is not a build answers in the metadata of the frontend's result, which only the bridge gives.
  const isBridged = ask.options.has('requestid');
  const request = {
    ref,
    session,
    // No build, and nothing for the history of builds.
    internal: isBridged,
    ...(isBridged ? {} : { frontend: 'dockerfile.v0', frontendAttributes: ask.options }),
    exporters: ask.exporters,
    // For daemons that know but one.
    exporter: ask.exporters[0]?.type,
    exporterAttributes: ask.exporters[0]?.attributes,
    cache: { imports: ask.cacheImports, exports: ask.cacheExports },
    entitlements: ask.entitlements,
  };
  using status = client.call(`${control}/Status`, { request: statusRequest, response: statusResponse });
  const solved = client.unary(`${control}/Solve`, { request: solveTable, response: solvedTable }, request, { signal });
  // The outcome is what counts: progress that breaks off does not fail a build.
  const told = follow(status, ref, onStatus).catch(() => {});
  const answered = isBridged ? frontend(client, ref, ask, signal) : Promise.resolve(new Map<string, string>());
  const [outcome, metadata] = await Promise.allSettled([solved, answered]);
  await parting(told);
  if (outcome.status === 'rejected') throw asSolveFault(outcome.reason, signal);
  if (metadata.status === 'rejected') throw asSolveFault(metadata.reason, signal);
  return { ref, exported: outcome.value.exporterResponse, metadata: metadata.value };
}

async function follow(
  status: GrpcCall<typeof statusRequest, typeof statusResponse>,
  ref: string,
  onStatus: (status: SolveStatus) => void,
): Promise<void> {
  await status.send({ ref });
  status.end();
  for await (const message of status.messages) onStatus(solveStatus(message));
}

/** Nor does progress that never ends. */
async function parting(told: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const patience = setTimeout(resolve, partingMs);
  await Promise.race([told, promise]);
  clearTimeout(patience);
}

async function frontend(
  client: GrpcClient,
  ref: string,
  { options }: BuildAsk,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const metadata = { 'buildkit-controlapi-buildid': ref };
  const giveBack = async (message: Parameters<typeof client.unary<typeof returnRequest, typeof empty>>[2]) => {
    await client.unary(`${bridge}/Return`, { request: returnRequest, response: empty }, message, { metadata, signal });
  };
  try {
    const { result } = await client.unary(
      `${bridge}/Solve`,
      { request: frontendTable, response: frontendResult },
      { frontend: 'dockerfile.v0', frontendOptions: options },
      { metadata, signal },
    );
    await giveBack({ result: {} });
    return new Map([...(result?.metadata ?? [])].map(([name, value]) => [name, Buffer.from(value).toString()]));
  } catch (error) {
    const { code, message, details } = asGrpcFault(error);
    if (!signal.aborted) await giveBack({ error: { code, message, details } }).catch(() => {});
    throw error;
  }
}

function asSolveFault(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return new SolveFault(new GrpcFault(1, 'the build was canceled'));
  return error instanceof GrpcFault ? new SolveFault(error) : error;
}
