/** What confines containers beyond namespaces. */
import { type Check, type Finding, ok, type Patient, skip, warn } from '../check.ts';
import { install } from '../mend.ts';

export const securityChecks: readonly Check[] = [
  { id: 'apparmor', title: 'AppArmor', run: apparmor },
  { id: 'selinux', title: 'SELinux', run: selinux },
];

function apparmor({ host, engine }: Patient): Finding {
  if (host.read('/sys/module/apparmor/parameters/enabled')?.trim() !== 'Y') return ok('off in this kernel');
  if (host.find('apparmor_parser') === undefined)
    return warn('on, but apparmor_parser is missing: containers run without a profile', install('apparmor'));
  const profiles = host.read('/sys/kernel/security/apparmor/profiles');
  if (profiles === undefined) return ok('on; which profiles are loaded, only root can tell');
  if (/^wherry-default /m.test(profiles)) return ok('wherry-default is loaded');
  const isUp = engine.answer.kind === 'engine' && engine.answer.product === 'Wherry';
  if (!isUp) return ok('on; the engine loads its profile when it starts');
  return warn('on, but wherry-default is not loaded: containers run without it', 'sudo systemctl restart wherry');
}

function selinux({ host }: Patient): Finding {
  const enforce = host.read('/sys/fs/selinux/enforce')?.trim();
  if (enforce === undefined) return host.stat('/sys/fs/selinux') === undefined ? ok('off') : skip('cannot be read');
  if (enforce !== '1') return ok('permissive');
  return warn(
    'enforcing, and the engine gives containers no labels of their own: bind mounts may be refused',
    'sudo ausearch -m avc -ts recent',
    'sudo chcon -Rt container_file_t FOLDER, for a folder that containers mount',
  );
}
