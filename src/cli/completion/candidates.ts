/** What may stand next on a command line: commands, flags, and names that the daemon knows. */
import { existsSync } from 'node:fs';
import type { ArgumentKind, Command } from '../command.ts';
import { type FlagSpec, parseFlagTable } from '../flag/table.ts';
import { globalFlags } from '../global-options.ts';
import { descend, groupSpecs } from '../program.ts';
import type { Session } from '../session.ts';

export interface Candidate {
  text: string;
  hint: string;
}

export interface Completion {
  candidates: Candidate[];
  /** Names of files may stand there instead. */
  files: boolean;
}

const none: Completion = { candidates: [], files: false };

/** @param words without the program's name; the last is being typed, and may be empty. */
export async function complete(session: Session, words: readonly string[]): Promise<Completion> {
  const typed = words.at(-1) ?? '';
  const before = skipGlobalFlags(words.slice(0, -1), session.options.configFolder);
  const { node, rest } = descend(before);
  if (node.children !== undefined) {
    if (rest.length > 0) return none;
    if (typed.startsWith('-') && node.flags !== undefined) return flagCandidates(groupSpecs(node), typed);
    if (typed.startsWith('-'))
      return before.length === 0 ? flagCandidates(globalSpecs(session.options.configFolder), typed) : none;
    const candidates = Object.entries(node.children)
      .filter(([, child]) => child.hidden !== true)
      .map(([text, child]) => ({ text, hint: child.short }));
    return startingWith(candidates, typed);
  }
  const { command } = await node.load!();
  return completeCommand(session, command, rest, typed);
}

async function completeCommand(
  session: Session,
  command: Command,
  words: readonly string[],
  typed: string,
): Promise<Completion> {
  const specs = parseFlagTable(command.flags ?? '');
  const { args, pending, closed } = readWords(words, specs, command.stopsAtArgument === true);
  if (pending !== undefined) return valueCandidates(session, command, pending, typed);
  if (typed.startsWith('-') && !closed) {
    const equals = typed.indexOf('=');
    const spec = specs.find((each) => equals > 0 && typed.slice(0, equals) === `--${each.name}`);
    if (spec === undefined) return flagCandidates(specs, typed);
    const values = await valueCandidates(session, command, spec, typed.slice(equals + 1));
    return {
      ...values,
      candidates: values.candidates.map((each) => ({ ...each, text: `--${spec.name}=${each.text}` })),
    };
  }
  const kinds = command.completes ?? [];
  const kind = kinds[Math.min(args.length, kinds.length - 1)];
  if (kind === undefined || args.length >= command.arity.max) return none;
  if (kind === 'none') return { candidates: [], files: command.stopsAtArgument === true };
  const names = await namesOf(session, kind, typed);
  const unused = names.candidates.filter(({ text }) => !args.includes(text));
  return { candidates: unused, files: names.files };
}

/** The arguments so far, and the flag whose value comes next. */
function readWords(
  words: readonly string[],
  specs: readonly FlagSpec[],
  stops: boolean,
): { args: string[]; pending: FlagSpec | undefined; closed: boolean } {
  const args: string[] = [];
  let pending: FlagSpec | undefined;
  let closed = false;
  for (const word of words) {
    if (pending !== undefined) pending = undefined;
    else if (closed || word === '-' || !word.startsWith('-')) {
      args.push(word);
      if (stops) closed = true;
    } else if (word === '--') closed = true;
    else if (!word.includes('=')) pending = wantsValue(word, specs);
  }
  return { args, pending, closed };
}

function wantsValue(word: string, specs: readonly FlagSpec[]): FlagSpec | undefined {
  if (word.startsWith('--')) return specs.find((spec) => spec.name === word.slice(2) && spec.type !== '');
  const letters = word.slice(1).split('');
  const at = letters.findIndex((letter) => specs.some((spec) => spec.short === letter && spec.type !== ''));
  if (at < 0 || at < letters.length - 1) return undefined;
  return specs.find((spec) => spec.short === letters[at]);
}

const fixedValues: Readonly<Record<string, readonly string[]>> = {
  restart: ['no', 'always', 'unless-stopped', 'on-failure'],
  pull: ['always', 'missing', 'never'],
  type: ['container', 'image', 'network', 'volume'],
  format: ['table', 'json'],
  cgroupns: ['host', 'private'],
  platform: [
    'linux/amd64',
    'linux/arm64',
    'linux/arm/v7',
    'linux/386',
    'linux/riscv64',
    'linux/ppc64le',
    'linux/s390x',
  ],
  signal: ['TERM', 'KILL', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2'],
};

async function valueCandidates(
  session: Session,
  command: Command,
  { name }: FlagSpec,
  typed: string,
): Promise<Completion> {
  const own = command.completesFlags?.[name];
  if (typeof own === 'string') return namesOf(session, own, typed);
  const fixed = own ?? fixedValues[name];
  if (fixed !== undefined)
    return startingWith(
      fixed.map((text) => ({ text, hint: '' })),
      typed,
    );
  if (name === 'network' || name === 'volumes-from' || name === 'link') {
    return namesOf(session, name === 'network' ? 'network' : 'container', typed);
  }
  if (name === 'volume' && !typed.includes(':') && !/^[./~]/.test(typed))
    return { ...(await namesOf(session, 'volume', typed)), files: true };
  return { candidates: [], files: /file|volume|output|input|device|mount|config|tls/.test(name) };
}

function flagCandidates(specs: readonly FlagSpec[], typed: string): Completion {
  const candidates = specs
    .filter((spec) => !spec.hidden)
    .map((spec) => ({ text: `--${spec.name}`, hint: spec.description.split('\n')[0]! }));
  return startingWith([...candidates, { text: '--help', hint: 'Print usage' }], typed);
}

function startingWith(candidates: Candidate[], typed: string): Completion {
  return { candidates: candidates.filter(({ text }) => text.startsWith(typed)), files: false };
}

/** Names of a kind. A daemon that does not answer has none: completion never complains. */
async function namesOf(session: Session, kind: ArgumentKind, typed: string): Promise<Completion> {
  if (kind === 'file') return { candidates: [], files: true };
  try {
    return startingWith(await listNames(session, kind), typed);
  } catch {
    return none;
  }
}

async function listNames(session: Session, kind: ArgumentKind): Promise<Candidate[]> {
  if (kind === 'context') {
    const { storeOf } = await import('../context/describe.ts');
    const names = storeOf(session).list();
    return [
      { text: 'default', hint: '' },
      ...names.map((meta) => ({ text: meta.Name, hint: meta.Metadata.Description ?? '' })),
    ];
  }
  if (kind === 'service') {
    const { loadProject } = await import('../../compose/index.ts');
    const surroundings = { cwd: process.cwd(), env: session.env, stdin: () => '', warn: () => {} };
    const { services, disabledServices } = loadProject({}, surroundings, { keepEnvFiles: true, unchecked: true });
    return Object.values({ ...services, ...disabledServices }).map(({ name, image }) => ({
      text: name,
      hint: image ?? '',
    }));
  }
  if (kind === 'check') {
    const { checks } = await import('../doctor/checks.ts');
    return checks.map(({ id, title }) => ({ text: id, hint: title }));
  }
  const { endpoint } = await session.endpoint();
  // To ask for the client would start the daemon: a key that completes a word must not.
  if (endpoint.kind === 'unix' && !existsSync(endpoint.path)) return [];
  const client = await session.client();
  if (kind === 'image') {
    const images = await client.images.list();
    return images.flatMap(({ RepoTags }) =>
      (RepoTags ?? []).map((text) => ({ text: text.replace(/:latest$/, ''), hint: '' })),
    );
  }
  if (kind === 'network')
    return (await client.networks.list()).map(({ Name, Driver }) => ({ text: Name, hint: Driver }));
  if (kind === 'volume') {
    const { Volumes } = await client.volumes.list();
    return (Volumes ?? []).map(({ Name }) => ({ text: Name, hint: '' }));
  }
  const containers = await client.containers.list({ all: kind !== 'running' });
  return containers
    .filter(({ State }) => kind !== 'stopped' || State !== 'running')
    .map(({ Names, Status }) => ({ text: (Names[0] ?? '').replace(/^\//, ''), hint: Status }));
}

function globalSpecs(configFolder: string): FlagSpec[] {
  return parseFlagTable(globalFlags(configFolder));
}

/** Words from the first command on. */
function skipGlobalFlags(words: readonly string[], configFolder: string): string[] {
  const specs = globalSpecs(configFolder);
  let at = 0;
  while (at < words.length && words[at]!.startsWith('-')) {
    const word = words[at]!;
    at += !word.includes('=') && wantsValue(word, specs) !== undefined ? 2 : 1;
  }
  return words.slice(at);
}
