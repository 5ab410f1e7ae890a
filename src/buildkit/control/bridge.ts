/** moby.buildkit.v1.frontend.LLBBridge: how `docker buildx` has its frontends run. The build is named in each call's metadata. */
import { type CallContext, type Method, unary } from '../grpc/service.ts';
import { GrpcFault } from '../grpc/status.ts';
import { empty } from '../message/common.ts';
import { evaluateRequest, pongResponse, returnRequest, solveRequest, solveResponse } from '../message/gateway.ts';
import type { Message } from '../protobuf/field.ts';
import { workerRecord, type Surroundings } from './control.ts';
import type { Job, Returned } from './job.ts';
import { refuseDefinition, runFrontend } from './run-frontend.ts';

const service = '/moby.buildkit.v1.frontend.LLBBridge';

/** Without `exporter.image.attestations`, which would have buildx ask for provenance, and without what nobody here can do. */
const frontendCapabilities = [
  'solve.base',
  'solve.inlinereturn',
  'return',
  'returnmap',
  'importcaches',
  'proto.refarray',
  'reference.output',
  'frontend.inputs',
  'frontend.caps',
  'gateway.solve.metadata',
  'gateway.evaluate',
];

const llbCapabilities = [
  'source.image',
  'source.image.resolvemode',
  'source.local',
  'source.local.unique',
  'source.local.sessionid',
  'source.local.includepatterns',
  'source.local.followpaths',
  'source.local.excludepatterns',
  'source.local.sharedkeyhint',
  'source.git',
  'source.http',
  'source.http.checksum',
  'exec.meta.base',
  'exec.meta.network',
  'exec.meta.ulimit',
  'exec.mount.bind',
  'exec.mount.cache',
  'exec.mount.secret',
  'exec.mount.ssh',
  'exec.mount.tmpfs',
  'file.base',
  'constraints',
  'platform',
  'meta.ignorecache',
  'meta.description',
  'gc.freespacefilter',
  'exporter.multiple',
];

export function bridgeMethods(around: Surroundings): [string, Method][] {
  const jobOf = (call: CallContext): Promise<Job> =>
    around.jobs.get(call.metadata('buildkit-controlapi-buildid'), call.signal);
  return [
    [
      `${service}/Ping`,
      unary(empty, pongResponse, async (_, call) => {
        await jobOf(call);
        return {
          frontendCapabilities: enabled(frontendCapabilities),
          llbCapabilities: enabled(llbCapabilities),
          workers: [workerRecord(around.worker)],
        };
      }),
    ],
    [
      `${service}/Solve`,
      unary(solveRequest, solveResponse, async (request, call) => {
        refuseDefinition(request.definition);
        const { frontend, frontendOptions: options, frontendInputs: inputs, cacheImports } = request;
        return { result: await runFrontend(around, await jobOf(call), { frontend, options, inputs, cacheImports }) };
      }),
    ],
    [
      // A result is built by the time that the client knows its name.
      `${service}/Evaluate`,
      unary(evaluateRequest, empty, async ({ ref }, call) => {
        (await jobOf(call)).built(ref);
        return {};
      }),
    ],
    [
      `${service}/Return`,
      unary(returnRequest, empty, async (request, call) => {
        (await jobOf(call)).return(returnedOf(request));
        return {};
      }),
    ],
  ];
}

function enabled(ids: readonly string[]): { id: string; enabled: boolean }[] {
  return ids.map((id) => ({ id, enabled: true }));
}

/** Of several results (one a platform) the first: there is one platform here. */
function returnedOf({ result, error }: Message<typeof returnRequest>): Returned {
  if (error !== undefined && error.code !== 0) {
    return { ref: undefined, fault: new GrpcFault(error.code, error.message, error.details) };
  }
  const [first] = result?.refs?.refs.values() ?? [];
  const ref = result?.ref?.id ?? first?.id;
  return { ref: ref === '' ? undefined : ref, fault: undefined };
}
