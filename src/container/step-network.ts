/** A build step's network: a namespace that goes with it, and the files that name hosts and resolvers. */
import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from '../linux/index.ts';
import { extraHostLines } from './network-setup.ts';
import type { StepContext, StepRequest } from './step.ts';
import { stepFile, type StepSpecMount } from './step-mounts.ts';
import { outsideOwner, type StepNamespace } from './step-user-namespace.ts';

export interface StepNetwork {
  /** For the spec: undefined is the host's. */
  namespace: string | undefined;
  mounts: StepSpecMount[];
}

/** What it made goes on `loans` at once. @throws Fault not-found for a network that is not there */
export async function openStepNetwork(
  { networking }: StepContext,
  { id, network, hostname, extraHosts }: Pick<StepRequest, 'id' | 'network' | 'hostname' | 'extraHosts'>,
  around: { bundle: string; namespace: StepNamespace | undefined },
  loans: AsyncDisposableStack,
): Promise<StepNetwork> {
  const { bundle } = around;
  const name = network === 'default' ? 'bridge' : network;
  let namespace: string | undefined;
  let embedded = false;
  if (name !== 'host') {
    loans.defer(() => networking.closeSandbox(id));
    namespace = (await networking.openSandbox(id, { namespaceOf: around.namespace?.networkOf })).path;
  }
  if (name !== 'host' && name !== 'none') {
    await networking.connect(id, id, { network: name, config: {}, dnsNames: [], links: [] });
    embedded = name !== 'bridge';
    if (embedded) await networking.serveNames(id, { dns: [], search: [], options: [] });
  }
  const resolvConf =
    name === 'host'
      ? readIfThere('/etc/resolv.conf')
      : await networking.resolvConf({ embedded, dns: [], search: [], options: [] });
  const gatewayOf = embedded ? name : undefined;
  const hosts = `127.0.0.1\tlocalhost ${hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n${extraHostLines(networking, extraHosts, gatewayOf)}`;
  writeFileSync(join(bundle, 'hosts'), hosts, { mode: 0o644 });
  writeFileSync(join(bundle, 'resolv.conf'), resolvConf, { mode: 0o644 });
  const { uid, gid } = outsideOwner(around.namespace, { uid: 0, gid: 0 });
  const mounts = ['hosts', 'resolv.conf'].map((file) => {
    chownSync(join(bundle, file), uid, gid);
    return stepFile(join(bundle, file), `/etc/${file}`);
  });
  return { namespace, mounts };
}
