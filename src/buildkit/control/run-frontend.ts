/** dockerfile.v0, the one frontend: runs a build of a job's and gives its outcome in the gateway's words. */
import type { Builds } from '../../api/index.ts';
import { Fault, randomId } from '../../std/index.ts';
import { GrpcFault, grpcCode } from '../grpc/status.ts';
import type { result } from '../message/gateway.ts';
import type { MessageInit } from '../protobuf/field.ts';
import type { Session } from '../session/session.ts';
import type { Sessions } from '../session/sessions.ts';
import { buildFault } from './failure.ts';
import { type FrontendRequest, frontendRequest, type Lender } from './frontend-request.ts';
import { buildOf, definitionOf } from './held-definition.ts';
import type { Job } from './job.ts';
import { vertexNames } from './status.ts';

const known = 'dockerfile.v0';

export interface FrontendAsked {
  frontend: string;
  options: ReadonlyMap<string, string>;
  cacheImports: FrontendRequest['cacheImports'];
  /** Definitions that options name (`input:NAME`). */
  inputs: ReadonlyMap<string, Uint8Array>;
}

/** @throws GrpcFault */
export async function runFrontend(
  { builds, sessions }: { builds: Builds; sessions: Sessions },
  job: Job,
  { frontend, options, cacheImports, inputs }: FrontendAsked,
): Promise<MessageInit<typeof result>> {
  // The syntax named in a Dockerfile is an image that would run as a frontend; this engine speaks that syntax itself.
  if (frontend !== known && frontend !== 'gateway.v0') {
    throw new GrpcFault(
      grpcCode.unknown,
      frontend === '' ? 'no LLB is run here: name a frontend' : `unknown frontend: ${frontend}`,
    );
  }
  const { request, session, signal } = job;
  const named = new Map(
    await Promise.all(sessionNames(options).map(async (id) => [id, await sessions.get(id, signal)] as const)),
  );
  const build = randomId();
  const nameOf = vertexNames(build);
  job.holds(build);
  try {
    const asked = frontendRequest(
      {
        id: build,
        held: true,
        inputs: new Map([...inputs].map(([name, bytes]) => [name, buildOf(name, bytes)])),
        options: new Map([...request.frontendAttributes, ...options]),
        exporters: exportersOf(job),
        cacheImports: [...(request.cache?.imports ?? []), ...cacheImports],
        cacheExports: request.cache?.exports ?? [],
        entitlements: request.entitlements,
      },
      lenderOf(session, named),
    );
    const { id, result } = await job.complete(builds.run(asked, signal), nameOf);
    return { ref: { id, def: definitionOf(build) }, metadata: answerMetadata(result.answer) };
  } catch (error) {
    throw buildFault(error, nameOf);
  } finally {
    // The client went while it ended.
    if (job.isFinished) builds.release(build);
  }
}

/** `named`: other sessions that the client shares directories from. */
export function lenderOf(session: Session, named: ReadonlyMap<string, Session>): Lender {
  return {
    source: (name, other) => (other === undefined ? session : (named.get(other) ?? session)).source(name),
    uploaded: (url) => session.uploaded(url),
    store: (name) => session.store(name),
    secrets: session.secrets,
    sendFile: (exporter, bytes) => session.sendFile(bytes, exporter),
    sendTree: (exporter, folder, modified) => session.sendTree(folder, exporter, modified),
  };
}

function sessionNames(options: ReadonlyMap<string, string>): string[] {
  return [...new Set([...options].filter(([key]) => key.startsWith('local-sessionid:')).map(([, id]) => id))];
}

/** @throws Fault */
function exportersOf({ request }: Job): FrontendRequest['exporters'] {
  if (request.exporters.length > 0) return request.exporters;
  return request.exporter === '' ? [] : [{ type: request.exporter, attributes: request.exporterAttributes }];
}

/** As dockerfile.v0 answers frontend.lint (buildkit, frontend/subrequests/lint). */
function answerMetadata(answer: { text: string; json: string; status: number } | undefined): Map<string, Uint8Array> {
  if (answer === undefined) return new Map();
  return new Map(
    Object.entries({
      'result.txt': answer.text,
      'result.json': answer.json,
      'result.statuscode': String(answer.status),
      version: '1.0.0',
    }).map(([name, value]) => [name, Buffer.from(value)]),
  );
}

/** @throws Fault invalid when the client wants LLB run */
export function refuseDefinition(definition: Uint8Array): void {
  if (definition.length > 0) {
    throw new Fault('not-implemented', 'Cannot run LLB: this builder runs Dockerfiles (frontend dockerfile.v0) only');
  }
}
