/** Docker and Podman on the same machine, and which of them clients talk to. */
import { type Check, type Finding, ok, type Patient, together, warn } from '../check.ts';

export const neighbourChecks: readonly Check[] = [
  { id: 'side-by-side', title: 'Docker and Podman', run: sideBySide },
  { id: 'client', title: 'Where clients go', run: client },
];

const others = ['dockerd', 'podman'] as const;

async function sideBySide({ host, engine }: Patient): Promise<Finding> {
  const running = runningPrograms({ host });
  const findings: Finding[] = others
    .filter((name) => running.has(name))
    .map((name) => ok(`${name} runs beside; bridges, rules and data are apart`));
  const own = engine.answer.kind === 'engine' ? engine.answer : undefined;
  const docker = await host.engineAt('/var/run/docker.sock');
  if (docker.kind === 'engine' && docker.product !== 'Wherry') {
    const shared = docker.ports.filter((port) => own?.product === 'Wherry' && own.ports.includes(port));
    if (shared.length > 0)
      findings.push(
        warn(
          `${docker.product} and Wherry both publish ${shared.join(', ')}: which of them answers is chance`,
          'docker ps, wherry ps; then publish one of them elsewhere: -p HOSTPORT:PORT',
        ),
      );
    if (docker.dataRoot === engine.dataRoot && docker.dataRoot !== '')
      findings.push(
        warn(
          `${docker.product} has the same data root: ${docker.dataRoot}`,
          'Give each its own: "data-root" in daemon.json.',
        ),
      );
    if (docker.bridge !== undefined && docker.bridge === engine.bridge)
      findings.push(
        warn(
          `${docker.product} has the same bridge: ${docker.bridge}`,
          'Give each its own: "bridge" in /etc/wherry/daemon.json.',
        ),
      );
  }
  return findings.length > 0 ? together(findings) : ok('none runs');
}

function runningPrograms({ host }: Pick<Patient, 'host'>): Set<string> {
  const pids = (host.list('/proc') ?? []).filter((name) => /^\d+$/.test(name));
  return new Set(pids.flatMap((pid) => host.read(`/proc/${pid}/comm`)?.trim() ?? []));
}

function client({ host, engine }: Patient): Finding {
  const set = ['DOCKER_HOST', 'WHERRY_HOST', 'DOCKER_CONTEXT'].filter((name) => host.env[name]);
  const byEnvironment = set.map((name) => `${name}=${host.env[name]}`).join(' ');
  const isWherry = engine.answer.kind === 'engine' && engine.answer.product === 'Wherry';
  if (engine.context !== undefined && engine.context !== 'default') {
    const found = `context "${engine.context}": ${engine.url}`;
    return isWherry ? ok(found) : warn(`${found}, not this machine's Wherry`, 'wherry context use default');
  }
  if (set.length === 0) return ok(engine.url);
  if (isWherry) return ok(byEnvironment);
  return warn(`${byEnvironment}: wherry and docker talk to that, and it is not Wherry`, `unset ${set.join(' ')}`);
}
