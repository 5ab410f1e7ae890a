/** The programs that run containers. */
import { type Check, fail, type Finding, ok, type Patient, warn } from '../check.ts';
import { install } from '../mend.ts';
import { atLeast, versionIn } from '../version.ts';

export const runtimeChecks: readonly Check[] = [
  { id: 'runtime', title: 'OCI runtime', run: runtime },
  { id: 'conmon', title: 'Container monitor', run: conmon },
];

const oldest: Readonly<Record<string, string>> = { crun: '0.17', runc: '1.0.0' };
const oldestConmon = '2.0.26';

async function runtime({ host }: Patient): Promise<Finding> {
  const good: string[] = [];
  const bad: string[] = [];
  for (const name of ['crun', 'runc']) {
    const path = host.find(name);
    if (path === undefined) continue;
    const said = await host.run(path, ['--version']);
    const version = said?.code === 0 ? versionIn(said.stdout) : undefined;
    if (version === undefined) bad.push(`${path} does not run: ${firstLine(said?.stderr) || 'no answer'}`);
    else if (!atLeast(version, oldest[name]!)) bad.push(`${name} ${version} is older than ${oldest[name]}`);
    else good.push(`${name} ${version}`);
  }
  if (good.length === 0) {
    const found = bad.length === 0 ? 'neither crun nor runc is installed' : bad.join('; ');
    return fail(found, install('crun'));
  }
  const onlyCrun = good.length === 1 && good[0]!.startsWith('crun');
  // The daemon takes the hybrid's v2 half away from itself; another engine, or a user, cannot.
  if (onlyCrun && isHybrid({ host }) && host.uid !== 0)
    return warn(`${good[0]}, which refuses hybrid control groups without root`, install('runc'));
  return bad.length === 0 ? ok(good.join(', ')) : warn([...bad, ...good].join('; '), install('crun', 'runc'));
}

function isHybrid({ host }: Pick<Patient, 'host'>): boolean {
  return / \/sys\/fs\/cgroup\/unified cgroup2 /.test(host.read('/proc/self/mounts') ?? '');
}

async function conmon({ host, engine }: Patient): Promise<Finding> {
  const named = engine.settings['conmon'];
  const path = typeof named === 'string' && named !== '' ? named : host.find('conmon');
  if (path === undefined) return fail('conmon is not installed', install('conmon'));
  const said = await host.run(path, ['--version']);
  const version = said?.code === 0 ? versionIn(said.stdout) : undefined;
  if (version === undefined)
    return fail(
      `${path} does not run: ${firstLine(said?.stderr) || 'no answer'}`,
      'sudo apt-get install --reinstall conmon',
    );
  if (!atLeast(version, oldestConmon))
    return warn(`conmon ${version} is older than ${oldestConmon}`, install('conmon'));
  return ok(`conmon ${version}`);
}

function firstLine(text: string | undefined): string {
  return text?.trim().split('\n')[0] ?? '';
}
