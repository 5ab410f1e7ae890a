/** `commit`: a container's changes as a new image; `changes` are Dockerfile instructions that alter its configuration. */
import type { ContainerConfig } from '../api/index.ts';
import { applyChanges } from '../image/index.ts';
import { Fault } from '../std/index.ts';
import type { Context, Live } from './context.ts';
import { containerEvent } from './event.ts';
import { mergeConfig } from './merge.ts';
import { pauseContainer, unpauseContainer } from './stop.ts';

export interface CommitOptions {
  repo: string | undefined;
  tag: string | undefined;
  comment: string;
  author: string;
  pause: boolean;
  changes: string[];
  config: ContainerConfig | undefined;
}

export async function commitContainer(context: Context, live: Live, options: CommitOptions): Promise<{ Id: string }> {
  const { record } = live;
  if (live.removing) throw new Fault('conflict', 'cannot commit container which is being removed');
  const config = applyChanges(mergeConfig(options.config ?? {}, imageConfig(record.config)), options.changes);
  // Without cgroups nothing can be paused: then it is committed as it runs, as with Docker's rootless mode.
  const mayPause = options.pause && context.settings.cgroups.usable;
  const pauses = mayPause && live.run !== undefined && !live.run.paused;
  if (pauses) await pauseContainer(context, live, { unrecorded: true });
  try {
    const id = await context.images.commit({
      parent: record.image,
      layer: context.snapshots.diff(record.id),
      config,
      createdBy: [record.path, ...record.args].join(' '),
      comment: options.comment,
      author: options.author,
      reference:
        options.repo === undefined || options.repo === '' ? undefined : { repo: options.repo, tag: options.tag },
      containerId: record.id,
    });
    containerEvent(context, record, 'commit', {
      comment: options.comment,
      imageID: id,
      imageRef: options.repo === undefined ? '' : `${options.repo}:${options.tag ?? 'latest'}`,
    });
    return { Id: id };
  } finally {
    if (pauses && live.run?.paused) await unpauseContainer(context, live);
  }
}

/** A container's configuration without what belongs to the one container. */
function imageConfig(config: ContainerConfig): ContainerConfig {
  const {
    Hostname: _h,
    Domainname: _d,
    AttachStdin: _i,
    AttachStdout: _o,
    AttachStderr: _e,
    Tty: _t,
    OpenStdin: _s,
    StdinOnce: _n,
    Image: _m,
    ...rest
  } = config;
  return rest;
}
