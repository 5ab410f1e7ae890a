/** The OCI process (runtime-spec "process") of an exec. */
import type { ExecCreateBody } from '../api/index.ts';
import { errorCode, Fault } from '../std/index.ts';
import { containerCapabilities } from './capabilities.ts';
import type { Context, Live } from './context.ts';
import { requireRun } from './find.ts';
import { knownUser } from './known-user.ts';
import { environmentKey } from './merge.ts';
import { readInRoot, withRoot } from './rootfs.ts';
import { processCapabilities, processEnvironment } from './spec.ts';
import { resolveUser } from './user.ts';

/** In characters. */
export interface ConsoleSize {
  height: number;
  width: number;
}

export interface OciProcess {
  readonly terminal: boolean;
  readonly consoleSize?: ConsoleSize;
}

/** The container's environment, user and folder unless told otherwise. @throws Fault invalid for a user that the container does not know */
export function execProcess(context: Context, live: Live, body: ExecCreateBody): OciProcess {
  const { config, hostConfig } = live.record;
  const run = requireRun(live);
  const user = knownUser(execUser(live, run.pid, body));
  const extra = body.Env ?? [];
  const replaced = new Set(extra.map(environmentKey));
  const environment = [
    ...(config.Env ?? []).filter((entry) => !replaced.has(environmentKey(entry))),
    ...extra.filter((entry) => entry.includes('=')),
  ];
  const privileged = (body.Privileged ?? false) || (hostConfig.Privileged ?? false);
  const capabilities = containerCapabilities(
    { add: hostConfig.CapAdd ?? [], drop: hostConfig.CapDrop ?? [], privileged },
    context.settings.heldCapabilities,
  );
  const consoleSize = askedSize(body);
  const tty = body.Tty ?? false;
  const process = {
    terminal: tty,
    ...(tty && consoleSize !== undefined ? { consoleSize } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: body.Cmd,
    env: processEnvironment({ ...config, Env: environment }, config.Hostname ?? '', user.home, tty),
    cwd: body.WorkingDir || config.WorkingDir || '/',
    capabilities: processCapabilities(capabilities, user.uid),
    noNewPrivileges: (hostConfig.SecurityOpt ?? []).some((option) => /^no-new-privileges(?:$|[:=]true$)/.test(option)),
  };
  return process;
}

/** @throws Fault conflict when the container has just ended */
function execUser({ record }: Live, pid: number, body: ExecCreateBody): ReturnType<typeof resolveUser> {
  const { config, hostConfig } = record;
  try {
    return withRoot(`/proc/${pid}/root`, (root) =>
      resolveUser(
        body.User || config.User || '',
        body.User ? [] : (hostConfig.GroupAdd ?? []),
        readInRoot(root, '/etc/passwd') ?? '',
        readInRoot(root, '/etc/group') ?? '',
      ),
    );
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'ENOENT' && code !== 'ESRCH') throw error;
    throw new Fault('conflict', `container ${record.id} is not running`, { cause: error });
  }
}

function askedSize(body: ExecCreateBody): ConsoleSize | undefined {
  const [height = 0, width = 0] = body.ConsoleSize ?? [];
  return height > 0 && width > 0 ? { height, width } : undefined;
}

/** The start request's size wins over the create request's. */
export function withConsoleSize(process: OciProcess, size: ConsoleSize | undefined): OciProcess {
  return process.terminal && size !== undefined ? { ...process, consoleSize: size } : process;
}
