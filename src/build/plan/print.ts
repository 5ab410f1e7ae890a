/** A plan as text, for people (`wherry build --print-plan`) and for tests. */
import type { Plan } from './plan.ts';
import type { CopySource, ExecMount, Root, Step } from './step.ts';

export function printPlan(plan: Plan): string {
  const lines = plan.steps.flatMap((step) => [
    `${step.id}  ${step.name}`,
    ...details(step).map((line) => `    ${line}`),
  ]);
  return [
    ...lines,
    `result ${plan.root}`,
    ...Object.entries(plan.image.config).map(([key, value]) => `    ${key} ${JSON.stringify(value)}`),
    ...plan.image.history.map(({ entry, step }) => `  ${(step ?? '-').padEnd(5)} ${entry.created_by ?? ''}`),
    '',
  ].join('\n');
}

function details(step: Step): string[] {
  const cached = step.ignoreCache ? ['no cache'] : [];
  switch (step.kind) {
    case 'image':
      return [`image ${step.reference} for ${step.platform}`, ...cached];
    case 'local':
      return [`files of ${step.context}: ${step.paths?.join(' ') ?? 'all'}`];
    case 'http':
      return [`fetch ${step.url} as ${step.filename}${given('checksum', step.checksum)}`, ...cached];
    case 'git': {
      const what = given('ref', step.ref) + given('folder', step.subdirectory) + given('commit', step.checksum);
      return [`clone ${step.remote}${what}${step.keepGitDir ? ' with .git' : ''}`, ...cached];
    }
    case 'exec':
      return [...execDetails(step), ...cached];
    case 'copy': {
      const rules = [
        given('owner', step.owner),
        given('mode', showMode(step.mode)),
        step.exclude.map((one) => ` without ${one}`).join(''),
      ];
      const to = `into ${rootText(step.root)} at ${step.destination}${rules.join('')}${step.link ? ' as a layer of its own' : ''}`;
      return [...step.sources.map(sourceText), to, ...cached];
    }
    default:
      return [`folder ${step.path} in ${rootText(step.root)}${given('owner', step.owner)}`, ...cached];
  }
}

function execDetails(step: Extract<Step, { kind: 'exec' }>): string[] {
  const where = `in ${rootText(step.root)} at ${step.workingDir}${given('as', step.user)}`;
  const more = [
    step.network === 'default' ? '' : `network ${step.network}`,
    step.security === 'sandbox' ? '' : `security ${step.security}`,
    ...step.devices.map(({ name }) => `device ${name}`),
    ...step.mounts.map(mountText),
    step.script === undefined ? '' : `script ${step.script.path} ${JSON.stringify(step.script.content)}`,
    step.proxy.length === 0 ? '' : `proxy ${step.proxy.map(([key]) => key).join(' ')}`,
  ];
  const env = step.env
    .entries()
    .filter(([key]) => key !== 'PATH')
    .map((pair) => pair.join('='));
  return [
    `run ${JSON.stringify(step.args)} ${where}`,
    env.length === 0 ? '' : `env ${JSON.stringify(env)}`,
    ...more,
  ].filter(Boolean);
}

function mountText(mount: ExecMount): string {
  switch (mount.type) {
    case 'bind':
      return `bind ${rootText(mount.from)}:${mount.source} on ${mount.target}${mount.readOnly ? '' : ' writable'}`;
    case 'cache': {
      const owner =
        mount.owner === undefined ? '' : ` ${mount.owner.uid}:${mount.owner.gid} ${showMode(mount.owner.mode)}`;
      const from = mount.from === 'scratch' ? '' : ` from ${mount.from}:${mount.source}`;
      return `cache ${mount.id} ${mount.sharing} on ${mount.target}${from}${owner}${mount.readOnly ? ' read only' : ''}`;
    }
    case 'tmpfs':
      return `tmpfs on ${mount.target}${given('size', mount.size)}`;
    default: {
      const file =
        mount.target === undefined ? '' : ` on ${mount.target} ${mount.uid}:${mount.gid} ${showMode(mount.mode)}`;
      const variable = mount.type === 'secret' ? given('env', mount.env) : '';
      return `${mount.type} ${mount.id}${file}${variable}${mount.required ? ' required' : ''}`;
    }
  }
}

function sourceText(source: CopySource): string {
  if (source.kind === 'inline') return `file ${source.name} ${JSON.stringify(source.content)}`;
  const how = [
    source.isPattern ? ' as a pattern' : '',
    source.unpack ? ' unpacked' : '',
    source.keepParents ? ' with parents' : '',
  ];
  return `from ${rootText(source.from)}:${source.path}${how.join('')}`;
}

function rootText(root: Root): string {
  return root === 'scratch' ? 'nothing' : root;
}

function given(what: string, value: string | number | undefined): string {
  return value === undefined || value === '' ? '' : ` ${what} ${value}`;
}

function showMode(mode: number | string | undefined): string | undefined {
  return typeof mode === 'number' ? `0${mode.toString(8)}` : mode;
}
