/** RUN to a step: its command line, its environment, its mounts. */
import {
  type ExpandedInstruction,
  type Heredoc,
  type Mount,
  parseHeredocMark,
  proxyEnvironment,
  stripTabs,
  SyntaxProblem,
} from '../../dockerfile/index.ts';
import { absolutePath, sourcePath } from './path.ts';
import type { NodeInstruction } from './stage-node.ts';
import type { StagePlanner } from './stage-planner.ts';
import type { ExecMount, ExecStep } from './step.ts';
import { runText } from './step-name.ts';

type Run = Extract<ExpandedInstruction, { kind: 'RUN' }>;

const scriptFolder = '/dev/pipes/';

export function planRun(planner: StagePlanner, run: Run, one: NodeInstruction): void {
  const { scope, options, names, escape } = planner.context;
  const { args, script, summarized } = commandOf(planner, run);
  if (args.length === 0) throw new SyntaxProblem('empty-command', 'arguments are required', run.range);
  const sockets = run.resolvedMounts.filter(({ type }) => type === 'ssh');
  const mounts = run.resolvedMounts.map((mount, index) =>
    mount.type === 'ssh' ? sshMount(mount, sockets.indexOf(mount)) : planMount(planner, mount, { one, index }),
  );
  const name = names.next(
    runText(run.original, { variables: scope.values, escape, mounts: run.resolvedMounts, summarized }),
    one,
  );
  const { root, workingDir } = planner;
  const step = planner.push(
    (base): ExecStep => ({
      ...base,
      kind: 'exec',
      name,
      range: run.range,
      root,
      args,
      env: scope.environment,
      proxy: [...proxyEnvironment(options.buildArgs)],
      workingDir,
      user: planner.image.user,
      mounts,
      network: run.network ?? options.network,
      security: run.security ?? 'sandbox',
      devices: run.devices,
      hostname: options.hostname,
      script,
    }),
  );
  planner.image.remember(`RUN ${historyText(planner, args)} # buildkit`, step);
}

interface Command {
  readonly args: readonly string[];
  readonly script: ExecStep['script'];
  /** The heredoc whose beginning the step's name shows. */
  readonly summarized: Heredoc | undefined;
}

/** A heredoc alone is the script; with a `#!` it is run as a file. One behind a command goes to the shell as it was written. */
function commandOf(planner: StagePlanner, { command, heredocs }: Run): Command {
  const [first] = heredocs;
  if (command.form === 'exec' || first === undefined) {
    return { args: planner.commandArgs(command), script: undefined, summarized: undefined };
  }
  const line = command.line.text;
  if (parseHeredocMark(line) === undefined) {
    const whole = line + heredocs.map(({ content, name }) => `\n${content}${name}`).join('');
    return { args: planner.shellArgs(whole), script: undefined, summarized: undefined };
  }
  const content = first.stripsTabs ? stripTabs(first.content) : first.content;
  if (!content.startsWith('#!')) return { args: planner.shellArgs(content), script: undefined, summarized: first };
  const path = absolutePath(scriptFolder, first.name);
  return { args: planner.shellArgs(path), script: { path, content }, summarized: first };
}

/** `|2 A=1 B= ` before the command: the ARGs that were declared, with the values they have now. */
function historyText({ context: { scope } }: StagePlanner, args: readonly string[]): string {
  const declared = new Map(scope.args.map(({ name, value }) => [name, scope.values.get(name) ?? value ?? '']));
  if (declared.size === 0) return args.join(' ');
  const shown = [...declared].map(([name, value]) => `${name}=${value}`);
  return [`|${declared.size}`, ...shown, ...args].join(' ');
}

function planMount(
  planner: StagePlanner,
  mount: Mount,
  { one, index }: { one: NodeInstruction; index: number },
): ExecMount {
  switch (mount.type) {
    case 'secret':
      return secretMount(mount);
    case 'tmpfs':
      return { type: 'tmpfs', target: targetOf(planner, mount), size: mount.size };
    default:
      return rootMount(planner, mount, { one, index });
  }
}

function rootMount(
  planner: StagePlanner,
  mount: Mount,
  { one, index }: { one: NodeInstruction; index: number },
): ExecMount {
  const target = targetOf(planner, mount);
  const source = sourcePath(mount.source ?? '');
  const node = one.sources[index];
  const from = node === undefined ? planner.context.steps.local('context', source) : planner.context.rootOf(node, one);
  if (mount.type !== 'cache') return { type: 'bind', target, from, source, readOnly: mount.readOnly };
  const { mode, uid, gid } = mount;
  const isOwned = source === '/' && (mode !== undefined || uid !== undefined || gid !== undefined);
  const id = mount.id ?? mount.target ?? '';
  return {
    type: 'cache',
    target,
    id: `${planner.context.options.cacheNamespace}/${id}`,
    sharing: mount.sharing ?? 'shared',
    from,
    source,
    readOnly: mount.readOnly,
    owner: isOwned ? { mode: mode ?? 0o755, uid: uid ?? 0, gid: gid ?? 0 } : undefined,
  };
}

function targetOf(planner: StagePlanner, { target = '', range }: Mount): string {
  const absolute = absolutePath(planner.workingDir, target);
  if (absolute !== '/') return absolute;
  throw new SyntaxProblem('bad-mount', `invalid mount target ${JSON.stringify(absolute)}`, range);
}

function secretMount(mount: Mount): ExecMount {
  const { source = '', target = '', env, mode = 0o400, uid = 0, gid = 0, required } = mount;
  const named = source === '' ? (mount.id ?? '') : source;
  const id = named === '' ? baseName(target) : named;
  const path = target === '' ? `/run/secrets/${baseName(id)}` : target;
  const isFile = env === undefined || target !== '';
  return { type: 'secret', id, target: isFile ? path : undefined, env, required, mode, uid, gid };
}

/** Sockets are numbered among themselves. */
function sshMount(mount: Mount, index: number): ExecMount {
  const { mode = 0o600, uid = 0, gid = 0, required } = mount;
  const id = mount.id ?? (mount.source === undefined || mount.source === '' ? 'default' : mount.source);
  const target = mount.target ?? `/run/buildkit/ssh_agent.${index}`;
  return { type: 'ssh', id, target, required, mode, uid, gid };
}

function baseName(path: string): string {
  return path.split('/').findLast((part) => part !== '') ?? '';
}
