/** What a daemon without root needs. To root these say how it stands, and complain about nothing. */
import { type Check, type Finding, ok, type Patient, skip, together, warn } from '../check.ts';
import { install, setSysctl } from '../mend.ts';
import { atLeast, versionIn } from '../version.ts';

export const rootlessChecks: readonly Check[] = [
  { id: 'rootless-ids', title: 'Ids for a user’s own containers', run: forUsers(ids) },
  { id: 'rootless-programs', title: 'Programs for containers without root', run: forUsers(programs) },
  { id: 'rootless-namespaces', title: 'User namespaces without root', run: forUsers(namespaces) },
];

function forUsers(run: Check['run']): Check['run'] {
  return (patient) => (patient.host.uid === 0 ? skip('matters to ordinary users only; ask as one') : run(patient));
}

function ids({ host }: Patient): Finding {
  const short = ['/etc/subuid', '/etc/subgid'].filter((file) => held(host.read(file), host) < 65_536);
  if (short.length === 0) return ok(`${host.user} has 65536 and more`);
  return warn(
    `${host.user} has too few ids in ${short.join(' and ')}`,
    `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${host.user}`,
  );
}

function held(text: string | undefined, { user, uid }: Patient['host']): number {
  return (text ?? '')
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([owner]) => owner === user || owner === String(uid))
    .reduce((sum, [, , count]) => sum + Number(count ?? 0), 0);
}

async function programs({ host }: Patient): Promise<Finding> {
  const missing: [what: string, packageName: string][] = [];
  if (host.find('newuidmap') === undefined || host.find('newgidmap') === undefined)
    missing.push(['newuidmap and newgidmap', 'uidmap']);
  if (host.find('pasta') === undefined && host.find('slirp4netns') === undefined)
    missing.push(['pasta or slirp4netns', 'passt']);
  const kernel = versionIn(host.read('/proc/sys/kernel/osrelease') ?? '') ?? '0';
  if (!atLeast(kernel, '5.11') && host.find('fuse-overlayfs') === undefined)
    missing.push(['fuse-overlayfs, for this kernel', 'fuse-overlayfs']);
  if (missing.length === 0) return (await oldPasta(host)) ?? ok('all there');
  return warn(`no ${missing.map(([what]) => what).join(', no ')}`, install(...missing.map(([, name]) => name)));
}

/** As the daemon sees it (room `rootless`, decision 19). */
async function oldPasta(host: Patient['host']): Promise<Finding | undefined> {
  if (host.find('pasta') === undefined) return undefined;
  const said = (await host.run('pasta', ['--version']))?.stdout.split('\n')[0] ?? '';
  const [, year = '', month = '', day = ''] = /(20\d\d)_?(\d\d)_?(\d\d)/.exec(said) ?? [];
  if (Number(`${year}${month}${day}`) >= 2024_10_30) return undefined;
  return warn(
    'pasta is older than October 2024 and may deliver data twice: it is not used; published ports are relayed, TCP only',
    'Install a newer passt, such as that of Debian 13.',
  );
}

async function namespaces({ host }: Patient): Promise<Finding> {
  const value = (path: string): string | undefined => host.read(path)?.trim();
  const closed: Finding[] = [];
  if (value('/proc/sys/kernel/unprivileged_userns_clone') === '0')
    closed.push(
      warn(
        'kernel.unprivileged_userns_clone=0: only root may make user namespaces',
        setSysctl('kernel.unprivileged_userns_clone', 1),
      ),
    );
  if (value('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1')
    closed.push(
      warn(
        'AppArmor takes the rights out of user namespaces of programs without a profile',
        setSysctl('kernel.apparmor_restrict_unprivileged_userns', 0),
      ),
    );
  if (value('/proc/sys/user/max_user_namespaces') === '0')
    closed.push(warn('user.max_user_namespaces=0', setSysctl('user.max_user_namespaces', 28_633)));
  if (closed.length > 0) return together(closed);
  const said = await host.tryOverlay(host.home, { asUser: true });
  if (said === undefined) return skip('not tried: it takes the program unshare');
  if (said === 'ok') return ok('an overlay can be mounted in one');
  return warn(`no overlay can be mounted in one: ${said}`, install('fuse-overlayfs'));
}
