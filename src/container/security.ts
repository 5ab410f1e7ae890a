/** `--security-opt` to what the runtime needs. Pure. */
import { Fault } from '../std/index.ts';

export interface SecurityOptions {
  noNewPrivileges: boolean | undefined;
  /** undefined: the default profile; "unconfined"; or the profile's JSON. */
  seccomp: string | undefined;
  apparmor: string | undefined;
  /** SELinux label words; "disable" among them turns labelling off. */
  labels: string[];
}

/** @throws Fault invalid naming the option */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  const parsed: SecurityOptions = { noNewPrivileges: undefined, seccomp: undefined, apparmor: undefined, labels: [] };
  for (const option of options) {
    if (option === 'no-new-privileges') {
      parsed.noNewPrivileges = true;
      continue;
    }
    const match = /^([a-z-]+)[=:]([\s\S]*)$/.exec(option);
    const [, key, value] = match ?? [];
    if (key === undefined || value === undefined) throw new Fault('invalid', `invalid --security-opt: "${option}"`);
    switch (key) {
      case 'no-new-privileges':
        if (!/^(true|false|1|0|t|f)$/i.test(value)) throw new Fault('invalid', `invalid --security-opt: "${option}"`);
        parsed.noNewPrivileges = /^(true|1|t)$/i.test(value);
        break;
      case 'seccomp':
        parsed.seccomp = value === 'builtin' ? undefined : value;
        break;
      case 'apparmor':
        parsed.apparmor = value;
        break;
      case 'label':
        parsed.labels.push(value);
        break;
      case 'systempaths':
      case 'writable-cgroups':
        break;
      default:
        throw new Fault('invalid', `invalid --security-opt: "${option}"`);
    }
  }
  return parsed;
}
