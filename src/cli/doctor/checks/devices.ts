/** Devices that containers can be given by name: GPUs. */
import { type Check, type Finding, ok, type Patient, skip, warn } from '../check.ts';
import { install } from '../mend.ts';

export const deviceChecks: readonly Check[] = [{ id: 'gpu', title: 'GPUs for containers', run: gpu }];

interface Maker {
  readonly name: string;
  readonly node: string;
  readonly tool: string;
  readonly packageName: string;
  readonly generate: string;
  /** Serves without specifications. */
  readonly hook: string | undefined;
}

const makers: readonly Maker[] = [
  {
    name: 'NVIDIA',
    node: '/dev/nvidiactl',
    tool: 'nvidia-ctk',
    packageName: 'nvidia-container-toolkit',
    generate: 'sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml',
    hook: 'nvidia-container-runtime-hook',
  },
  {
    name: 'AMD',
    node: '/dev/kfd',
    tool: 'amd-ctk',
    packageName: 'amd-container-toolkit',
    generate: 'sudo amd-ctk cdi generate --output=/etc/cdi/amd.json',
    hook: undefined,
  },
];

/** A vendor's files name their kind; which names are in them, `wherry info` tells. */
function gpu({ host }: Patient): Finding {
  const present = makers.filter(({ node }) => host.stat(node) !== undefined);
  if (present.length === 0) return skip('no NVIDIA or AMD GPU');
  const described = ['/etc/cdi', '/var/run/cdi']
    .flatMap((folder) => (host.list(folder) ?? []).map((name) => `${folder}/${name}`))
    .filter((path) => /\.(json|yaml)$/.test(path))
    .map((path) => host.read(path) ?? '');
  const missing = present.filter(
    ({ name, hook }) =>
      !described.some((text) => text.toLowerCase().includes(`${name.toLowerCase()}.com/gpu`)) &&
      (hook === undefined || host.find(hook) === undefined),
  );
  if (missing.length === 0) return ok(`${present.map(({ name }) => name).join(', ')}: run --gpus all`);
  return warn(
    `${missing.map(({ name }) => name).join(', ')}: nothing describes it to containers (--gpus fails)`,
    ...missing.flatMap(({ tool, packageName, generate }) => [
      ...(host.find(tool) === undefined ? [`${install(packageName)} (from the maker's package source)`] : []),
      generate,
    ]),
  );
}
