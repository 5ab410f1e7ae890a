/** The build checks of one build: warnings beside it, or the whole answer to `--check` (buildkit, frontend/subrequests/lint). Pure. */
import type { BuildEvent, BuildResult } from '../../api/index.ts';
import {
  type BuildPlatform,
  check,
  type CheckContext,
  type CheckedImage,
  type CheckReport,
  type Dockerfile,
  DockerfileFault,
  type Finding,
  formatBuildPlatform,
  PatternMatcher,
  platformVariables,
  renderMarkedExcerpt,
} from '../../dockerfile/index.ts';
import { type ImageConfig, parsePlatform, parseReference } from '../../oci/index.ts';
import { configOf } from '../plan/container-config.ts';

export interface CheckedBuild {
  file: Dockerfile;
  platform: BuildPlatform;
  buildPlatform: BuildPlatform;
  target: string | undefined;
  buildArgs: ReadonlyMap<string, string>;
  ignore: readonly string[];
  /** Of a fully qualified reference; undefined where it is not known. */
  image: (reference: string) => ImageConfig | undefined;
  /** Indexes of the stages that are built; all of them where not said. */
  stages?: ReadonlySet<number>;
}

export function checkBuild(build: CheckedBuild): CheckReport {
  const { file, platform, buildPlatform, target, buildArgs, ignore } = build;
  const matcher = ignore.length === 0 ? undefined : new PatternMatcher(ignore);
  const hasExceptions = ignore.some((rule) => rule.startsWith('!'));
  const variables = platformVariables({
    target: platform,
    build: buildPlatform,
    stage: target ?? file.stages.at(-1)?.name,
    buildArgs,
  });
  const context: CheckContext = {
    platform: variables,
    buildArgs,
    isReference: (text) => succeeds(() => parseReference(text)),
    parsePlatform: (text) => attempt(() => parsePlatform(text)),
    isIgnored: (path) => matcher !== undefined && !hasExceptions && matcher.matches(path),
    baseImage: (reference, wanted) => checkedImage(build, reference, wanted),
    ...(build.stages === undefined ? {} : { stages: build.stages }),
  };
  return check(file, context);
}

function checkedImage(build: CheckedBuild, name: string, wanted: string | undefined): CheckedImage | undefined {
  const config = build.image(name);
  if (config === undefined) return undefined;
  const { Env = [], OnBuild, Shell } = configOf(config);
  const expected = wanted ?? formatBuildPlatform(build.platform);
  const actual = formatBuildPlatform(config);
  return {
    env: new Map(Env.map((pair) => splitPair(pair))),
    onbuild: OnBuild ?? [],
    hasShell: (Shell ?? []).length > 0,
    ...(config.architecture === '' || expected === actual ? {} : { mismatch: { expected, actual } }),
  };
}

/** One warning of a build, told beside the step that read the Dockerfile. */
export function warningOf(finding: Finding, file: Dockerfile, vertex: string): BuildEvent {
  const { rule, description, url, detail, lines } = finding;
  return {
    kind: 'warning',
    vertex,
    level: 1,
    short: `${rule}: ${detail} (line ${lines.first})`,
    detail: [description],
    url,
    range: {
      file: file.source.name,
      start: { line: lines.first, column: 1 },
      end: { line: lines.last, column: 1 },
    },
    text: file.source.text,
  };
}

/** `problem`: what makes the build fail whatever the checks say. */
export function checkAnswer(
  file: Dockerfile,
  { findings, violation }: CheckReport,
  problem: DockerfileFault | undefined,
): NonNullable<BuildResult['answer']> {
  const { name, text } = file.source;
  const failure = problem === undefined ? {} : { buildError: buildError(problem) };
  const json = {
    warnings: findings.map(({ rule, description, url, detail, lines }) => ({
      ruleName: rule,
      description,
      url,
      detail,
      location: { ranges: [rangeOf(lines)] },
    })),
    sources: [{ filename: name, language: 'Dockerfile', data: Buffer.from(text).toString('base64') }],
    ...failure,
  };
  const parts = findings.map(
    ({ rule, url, detail, lines }) =>
      `WARNING: ${rule} - ${url}\n${detail}\n${renderMarkedExcerpt(file.source, { start: lines.first, end: lines.last })}`,
  );
  if (problem !== undefined) parts.push(`ERROR: ${problem.message}\n${excerptOf(problem)}`);
  const shown = parts.map((part) => `\n${part}`).join('');
  const failed = problem !== undefined || violation !== undefined || findings.length > 0;
  return { text: shown, json: JSON.stringify(json), status: failed ? 1 : 0 };
}

function buildError(problem: DockerfileFault): object {
  const [first] = problem.problems;
  const range = first?.range;
  const location = range === undefined ? {} : { ranges: [rangeOf({ first: range.start.line, last: range.end.line })] };
  return { message: problem.message, location };
}

function excerptOf({ problems, source }: DockerfileFault): string {
  const range = problems[0]?.range;
  return range === undefined ? '' : renderMarkedExcerpt(source, { start: range.start.line, end: range.end.line });
}

function rangeOf({ first, last }: Finding['lines']): object {
  return { start: { line: first }, end: { line: last } };
}

function splitPair(pair: string): readonly [string, string] {
  const [name = '', ...value] = pair.split('=');
  return [name, value.join('=')];
}

function attempt<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function succeeds(work: () => unknown): boolean {
  return attempt(() => [work()]) !== undefined;
}
