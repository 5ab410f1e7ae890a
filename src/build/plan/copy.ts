/** COPY and ADD to a step. */
import { type ExpandedInstruction, hasWildcard, SyntaxProblem, type Word } from '../../dockerfile/index.ts';
import { destinationPath, sourcePath } from './path.ts';
import { isHttp, parseGit, urlFilename } from './remote.ts';
import type { NodeInstruction } from './stage-node.ts';
import type { StagePlanner } from './stage-planner.ts';
import type { CopySource, CopyStep, Root } from './step.ts';
import { instructionText } from './step-name.ts';

type Transfer = Extract<ExpandedInstruction, { kind: 'COPY' | 'ADD' }>;

export function planCopy(planner: StagePlanner, transfer: Transfer, one: NodeInstruction): void {
  const { names, scope, escape } = planner.context;
  const mode = modeOf(transfer.chmod);
  checkChecksum(transfer);
  const name = names.next(instructionText(transfer.original, scope.values, escape), one);
  const remote = { name, range: transfer.range, ignoreCache: planner.context.ignoreCache };
  const from = fromRoot(planner, one);
  const paths = transfer.sources.map((source) => planSource(planner, transfer, { source, from, remote }));
  const inline = transfer.inline.map(({ name, content }): CopySource => ({ kind: 'inline', name, content }));
  const { root } = planner;
  const step = planner.push(
    (base): CopyStep => ({
      ...base,
      kind: 'copy',
      name,
      range: transfer.range,
      root,
      sources: [...paths, ...inline],
      destination: destinationPath(planner.workingDir, transfer.destination.text),
      owner: transfer.chown?.text === '' ? undefined : transfer.chown?.text,
      mode,
      exclude: transfer.exclude.map(({ text }) => text),
      link: transfer.link,
    }),
  );
  planner.image.remember(`${historyText(transfer)} # buildkit`, step);
}

/** `undefined`: the build context, of which each path that is used is noted. */
function fromRoot(planner: StagePlanner, one: NodeInstruction): Root | undefined {
  const [node] = one.sources;
  return node === undefined ? undefined : planner.context.rootOf(node, one);
}

interface SourceOptions {
  readonly source: Word;
  readonly from: Root | undefined;
  readonly remote: { readonly name: string; readonly range: Transfer['range']; readonly ignoreCache: boolean };
}

function planSource(planner: StagePlanner, transfer: Transfer, { source, from, remote }: SourceOptions): CopySource {
  const { steps } = planner.context;
  if (transfer.kind === 'ADD') {
    const git = parseGit(source.text, source.range);
    if (git !== undefined) {
      const keepGitDir = transfer.keepGitDir ?? git.keepGitDir ?? false;
      const checksum = transfer.checksum?.text ?? git.checksum;
      const id = ['git:' + source.text, keepGitDir ? 'with .git' : '', checksum ?? ''].filter(Boolean).join(' ');
      const { remote: url, ref, subdirectory } = git;
      steps.add({ ...remote, kind: 'git', id, remote: url, ref, subdirectory, keepGitDir, checksum });
      return { kind: 'path', from: id, path: '/', isPattern: false, unpack: false, keepParents: false };
    }
    if (isHttp(source.text)) {
      const filename = urlFilename(source.text);
      const checksum = transfer.checksum?.text;
      const id = checksum === undefined ? `http:${source.text}` : `http:${source.text} ${checksum}`;
      steps.add({ ...remote, kind: 'http', id, url: source.text, filename, checksum });
      const unpack = transfer.unpack ?? false;
      return { kind: 'path', from: id, path: `/${filename}`, isPattern: false, unpack, keepParents: false };
    }
  }
  const isPattern = hasWildcard(source.text);
  const keepParents = transfer.kind === 'COPY' && transfer.parents;
  // What `/./` says is kept for who keeps parents.
  const path = keepParents ? `/${source.text.replace(/^\/+/, '')}` : sourcePath(source.text);
  const unpack = transfer.kind === 'ADD' && (transfer.unpack ?? true);
  return { kind: 'path', from: from ?? steps.local('context', path), path, isPattern, unpack, keepParents };
}

const symbolicMode = /^(?:[ugoa]*(?:[-+=](?:[ugo]|[rwxXst]*))+)(?:,[ugoa]*(?:[-+=](?:[ugo]|[rwxXst]*))+)*$/;

function modeOf(chmod: Word | undefined): number | string | undefined {
  if (chmod === undefined || chmod.text === '') return undefined;
  const mode = /^[0-7]+$/.test(chmod.text) ? parseInt(chmod.text, 8) : undefined;
  if (mode !== undefined && mode <= 0o7777) return mode;
  if (mode === undefined && symbolicMode.test(chmod.text)) return chmod.text;
  const message = `invalid chmod parameter: '${chmod.text}'. it should be octal string and between 0 and 07777`;
  throw new SyntaxProblem('bad-chmod', message, chmod.range);
}

function checkChecksum(transfer: Transfer): void {
  if (transfer.kind !== 'ADD' || transfer.checksum === undefined || transfer.checksum.text === '') return;
  const { range, text } = transfer.checksum;
  if (transfer.sources.length !== 1) {
    throw new SyntaxProblem('bad-checksum', "checksum can't be specified for multiple sources", range);
  }
  const source = transfer.sources[0]!.text;
  const isGit = parseGit(source) !== undefined;
  if (!isGit && !isHttp(source)) {
    throw new SyntaxProblem('bad-checksum', 'checksum requires HTTP(S) or Git sources', range);
  }
  const why = isGit ? undefined : digestProblem(text);
  if (why !== undefined) throw new SyntaxProblem('bad-checksum', why, range);
}

const digestLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** As Go's digest library complains. */
function digestProblem(text: string): string | undefined {
  const match = /^([a-z0-9]+(?:[.+_-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/.exec(text);
  if (match === null) return 'invalid checksum digest format';
  const length = digestLengths[match[1]!];
  if (length === undefined) return 'unsupported digest algorithm';
  if (match[2]!.length !== length) return 'invalid checksum digest length';
  return /^[a-f0-9]+$/.test(match[2]!) ? undefined : 'invalid checksum digest format';
}

function historyText(transfer: Transfer): string {
  const words: string[] = [transfer.kind];
  if (transfer.kind === 'COPY' && transfer.parents) words.push('--parents');
  if (transfer.chown !== undefined && transfer.chown.text !== '') words.push(`--chown=${transfer.chown.text}`);
  if (transfer.chmod !== undefined && transfer.chmod.text !== '') words.push(`--chmod=${transfer.chmod.text}`);
  const sources = transfer.sources.map(({ text }) => text);
  const inline = transfer.inline.map(({ name }) => `<<${name}`);
  return [...words, ...sources, ...inline, transfer.destination.text].join(' ');
}
