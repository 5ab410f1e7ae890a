/** `--call NAME[,format=json]`, `--check`, `--print-plan`: what is asked for instead of a build (docker/buildx, util/buildflags/utils.go). */
import { Fault } from '../../std/index.ts';
import type { Flags } from '../flag/parse.ts';
import { flagFields } from './fields.ts';

export interface Call {
  kind: 'lint' | 'outline' | 'targets' | 'plan';
  /** The frontend's name for it. */
  request: string;
  isJson: boolean;
  ignoresStatus: boolean;
}

const requests = {
  lint: 'frontend.lint',
  outline: 'frontend.outline',
  targets: 'frontend.targets',
  plan: 'wherry.plan',
} as const;

/** undefined: a build. @throws Fault invalid */
export function parseCall(flags: Flags): Call | undefined {
  const [name, ...fields] = flagFields(flags.string('call'));
  const asked = name?.value === undefined ? (name?.key ?? '') : '';
  const kinds = [
    ...(asked === '' || asked === 'build' ? [] : [kindOf(asked)]),
    ...(flags.bool('check') ? ['lint' as const] : []),
    ...(flags.bool('print-plan') ? ['plan' as const] : []),
  ];
  const [kind, ...others] = new Set(kinds);
  if (kind === undefined) return undefined;
  if (others.length > 0) throw new Fault('invalid', '--call, --check and --print-plan exclude one another');
  const call: Call = { kind, request: requests[kind], isJson: false, ignoresStatus: false };
  for (const { text, key, value } of fields) {
    if (key === 'format' && (value === 'json' || value === 'text')) call.isJson = value === 'json';
    else if (key === 'ignorestatus') call.ignoresStatus = value === undefined || /^(1|t|true)$/i.test(value);
    else
      throw new Fault('invalid', `invalid --call field: ${text}: known are format=json, format=text and ignorestatus`);
  }
  return call;
}

function kindOf(name: string): Call['kind'] {
  if (name === 'check' || name === 'lint') return 'lint';
  if (name === 'outline' || name === 'targets' || name === 'plan') return name;
  throw new Fault('invalid', `invalid --call ${JSON.stringify(name)}: use build, check, outline or targets`);
}
