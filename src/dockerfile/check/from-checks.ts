/** What FROM lines make of the global scope. */
import type { Stage } from '../parse.ts';
import { expandFrom, type FromScope } from '../scope/from-line.ts';
import type { GlobalScope } from '../scope/global-scope.ts';
import { suggest } from '../suggest.ts';
import type { EscapeToken } from '../text/read-lines.ts';
import { at } from './file-checks.ts';
import type { Findings } from './finding.ts';

export interface FromChecks {
  /** With the build arguments. */
  readonly global: GlobalScope;
  /** Without them; `undefined` where a default cannot be expanded. */
  readonly defaults: GlobalScope | undefined;
  readonly escape: EscapeToken;
  /** Whether a text can name an image. */
  readonly isReference: (text: string) => boolean;
  /** `undefined` for what is no platform. */
  readonly parsePlatform: (text: string) => { os: string; architecture: string } | undefined;
}

/** Whether the file works with no build argument at all. */
export function checkDefaultImages(stages: readonly Stage[], checks: FromChecks, findings: Findings): void {
  if (checks.defaults === undefined) return;
  for (const { from } of stages) {
    const { image } = expandFrom(from, { variables: checks.defaults.variables, escape: checks.escape });
    if (checks.isReference(image.text)) continue;
    findings.report('InvalidDefaultArgInFrom', at(from, from.image), from.image.text);
  }
}

/** @throws SyntaxProblem where the line cannot be expanded */
export function checkFrom({ from, name = '' }: Stage, checks: FromChecks, findings: Findings): void {
  const scope: FromScope = { variables: checks.global.variables, escape: checks.escape };
  const { image, platform } = expandFrom(from, scope);
  const { declared, variables } = checks.global;
  const reportMissing = (names: Iterable<string>): void => {
    for (const one of names) {
      if (declared.has(one) || variables.has(one)) continue;
      const near = suggest(one, new Set([...declared, ...variables.keys()]));
      findings.report('UndefinedArgInFrom', at(from), one, near ?? '');
    }
  };
  reportMissing(image.missing);
  if (platform === undefined) return;
  reportMissing(platform.missing);
  const isTargetAlone = platform.used.size === 1 && platform.missing.size === 0 && platform.used.has('TARGETPLATFORM');
  if (isTargetAlone && platform.text === checks.global.variables.get('TARGETPLATFORM')) {
    findings.report('RedundantTargetPlatform', at(from, from.platform), from.platform!.text);
  }
  if (platform.used.size > 0 || platform.missing.size > 0) return;
  const parsed = checks.parsePlatform(platform.text);
  if (parsed === undefined || name.includes(parsed.os) || name.includes(parsed.architecture)) return;
  findings.report('FromPlatformFlagConstDisallowed', at(from, from.platform), platform.text);
}
