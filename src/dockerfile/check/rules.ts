/** The build checks, as a table. Names, descriptions, pages and words are BuildKit's (`engine-api.md` §3.8): clients print and filter them. */
import { goQuote } from '../text/characters.ts';

export interface Rule<Arguments extends readonly string[]> {
  readonly description: string;
  readonly url: string;
  /** Only looked at where the file or the caller asks for it. */
  readonly isExperimental: boolean;
  readonly format: (...args: Arguments) => string;
}

function rule<Arguments extends readonly string[]>(
  page: string,
  description: string,
  format: (...args: Arguments) => string,
  { isExperimental = false }: { isExperimental?: boolean } = {},
): Rule<Arguments> {
  const url = page === '' ? '' : `https://docs.docker.com/go/dockerfile/rule/${page}/`;
  return { description, url, isExperimental, format };
}

const hint = (name: string): string => (name === '' ? '' : ` (did you mean ${name}?)`);

export const rules = {
  StageNameCasing: rule(
    'stage-name-casing',
    'Stage names should be lowercase',
    (name: string) => `Stage name '${name}' should be lowercase`,
  ),
  FromAsCasing: rule(
    'from-as-casing',
    "The 'as' keyword should match the case of the 'from' keyword",
    (from: string, as: string) => `'${as}' and '${from}' keywords' casing do not match`,
  ),
  NoEmptyContinuation: rule(
    'no-empty-continuation',
    'Empty continuation lines will become errors in a future release',
    () => 'Empty continuation line',
  ),
  ConsistentInstructionCasing: rule(
    'consistent-instruction-casing',
    'All commands within the Dockerfile should use the same casing (either upper or lower)',
    (keyword: string, casing: string) =>
      `Command '${keyword}' should match the case of the command majority (${casing})`,
  ),
  DuplicateStageName: rule(
    'duplicate-stage-name',
    'Stage names should be unique',
    (name: string) => `Duplicate stage name ${goQuote(name)}, stage names should be unique`,
  ),
  ReservedStageName: rule(
    'reserved-stage-name',
    'Reserved words should not be used as stage names',
    (name: string) => `Stage name should not use the same name as reserved stage ${goQuote(name)}`,
  ),
  JSONArgsRecommended: rule(
    'json-args-recommended',
    'JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals',
    (keyword: string) =>
      `JSON arguments recommended for ${keyword} to prevent unintended behavior related to OS signals`,
  ),
  MaintainerDeprecated: rule(
    'maintainer-deprecated',
    'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
    () => 'Maintainer instruction is deprecated in favor of using label',
  ),
  UndefinedArgInFrom: rule(
    'undefined-arg-in-from',
    'FROM command must use declared ARGs',
    (name: string, near: string) => `FROM argument '${name}' is not declared${hint(near)}`,
  ),
  WorkdirRelativePath: rule(
    'workdir-relative-path',
    'Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes',
    (path: string) => `Relative workdir ${goQuote(path)} can have unexpected results if the base image changes`,
  ),
  UndefinedVar: rule(
    'undefined-var',
    'Variables should be defined before their use',
    (name: string, near: string) => `Usage of undefined variable '$${name}'${hint(near === '' ? '' : `$${near}`)}`,
  ),
  MultipleInstructionsDisallowed: rule(
    'multiple-instructions-disallowed',
    'Multiple instructions of the same type should not be used in the same stage',
    (keyword: string) =>
      `Multiple ${keyword} instructions should not be used in the same stage because only the last one will be used`,
  ),
  LegacyKeyValueFormat: rule(
    'legacy-key-value-format',
    'Legacy key/value format with whitespace separator should not be used',
    (keyword: string) => `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`,
  ),
  InvalidBaseImagePlatform: rule(
    '',
    'Base image platform does not match expected target platform',
    (image: string, expected: string, actual: string) =>
      `Base image ${image} was pulled with platform ${goQuote(actual)}, expected ${goQuote(expected)} for current build`,
  ),
  RedundantTargetPlatform: rule(
    'redundant-target-platform',
    'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
    (variable: string) =>
      `Setting platform to predefined ${variable} in FROM is redundant as this is the default behavior`,
  ),
  SecretsUsedInArgOrEnv: rule(
    'secrets-used-in-arg-or-env',
    'Sensitive data should not be used in the ARG or ENV commands',
    (keyword: string, name: string) =>
      `Do not use ARG or ENV instructions for sensitive data (${keyword} ${goQuote(name)})`,
  ),
  InvalidDefaultArgInFrom: rule(
    'invalid-default-arg-in-from',
    'Default value for global ARG results in an empty or invalid base image name',
    (name: string) => `Default value for ARG ${name} results in empty or invalid base image name`,
  ),
  FromPlatformFlagConstDisallowed: rule(
    'from-platform-flag-const-disallowed',
    'FROM --platform flag should not use a constant value',
    (platform: string) => `FROM --platform flag should not use constant value ${goQuote(platform)}`,
  ),
  CopyIgnoredFile: rule(
    'copy-ignored-file',
    'Attempting to Copy file that is excluded by .dockerignore',
    (verb: string, file: string) => `Attempting to ${verb} file ${goQuote(file)} that is excluded by .dockerignore`,
    { isExperimental: true },
  ),
  InvalidDefinitionDescription: rule(
    'invalid-definition-description',
    'Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.',
    (keyword: string, name: string) => `Comment for ${keyword} should follow the format: \`# ${name} <description>\``,
    { isExperimental: true },
  ),
  ExposeProtoCasing: rule(
    'expose-proto-casing',
    'Protocol in EXPOSE instruction should be lowercase',
    (port: string) => `Defined protocol '${port}' in EXPOSE instruction should be lowercase`,
  ),
  ExposeInvalidFormat: rule(
    'expose-invalid-format',
    'IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release',
    (port: string) => `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
  ),
} as const;

export type RuleName = keyof typeof rules;
