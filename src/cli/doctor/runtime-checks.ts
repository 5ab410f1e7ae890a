/** The programs that run containers: an OCI runtime and its monitor. */
import { cgroupFacts } from './cgroup-facts.ts';
import { type Check, fail, ok, warn } from './check.ts';
import type { Host } from './host.ts';

export const runtimeChecks: readonly Check[] = [
  {
    id: 'runtime',
    title: 'OCI runtime',
    async run(host) {
      const found = (await Promise.all(['crun', 'runc'].map((name) => versionOf(host, name)))).filter(
        (each) => each !== undefined,
      );
      if (found.length === 0) return fail('neither crun nor runc is installed', 'sudo apt-get install crun');
      const broken = found.filter(({ version }) => version === undefined);
      if (broken.length === found.length)
        return fail(`${broken.map(({ path }) => path).join(', ')}: does not start`, `${broken[0]!.path} --version`);
      const text = found.map(({ name, version }) => `${name} ${version ?? 'that does not start'}`).join(', ');
      if (broken.length > 0) return warn(text, `${broken[0]!.path} --version`);
      const onlyCrun = found.length === 1 && found[0]!.name === 'crun';
      return onlyCrun && cgroupFacts(host).hybrid && host.uid !== 0
        ? warn(
            `${text} alone refuses hybrid control groups; only root's daemon can hide them from it`,
            'sudo apt-get install runc',
          )
        : ok(text);
    },
  },
  {
    id: 'conmon',
    title: 'Monitor',
    async run(host) {
      const found = await versionOf(host, 'conmon');
      if (found === undefined) return fail('conmon is not installed', 'sudo apt-get install conmon');
      if (found.version === undefined) return fail(`${found.path}: does not start`, `${found.path} --version`);
      return Number(found.version.split('.')[0]) < 2
        ? fail(`conmon ${found.version} is too old: version 2 is needed`, 'sudo apt-get install conmon')
        : ok(`conmon ${found.version}`);
    },
  },
];

interface Program {
  name: string;
  path: string;
  /** undefined when it does not say. */
  version: string | undefined;
}

async function versionOf(host: Host, name: string): Promise<Program | undefined> {
  const path = host.find(name);
  if (path === undefined) return undefined;
  const said = await host.run(path, ['--version']);
  const version = said?.code === 0 ? (/version\s+(\S+)/.exec(said.stdout)?.[1] ?? 'of unknown version') : undefined;
  return { name, path, version };
}
