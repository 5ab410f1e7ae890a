/** Engines as producers and consumers of images: Wherry and dockerd by the stock command line, and podman. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { mountOverlay, unmount } from '../../src/linux/index.ts';
import type { ContainerTools } from './container-tools.ts';
import type { Docker } from './docker.ts';
import { describeTree, type TreeOptions } from './tree.ts';

/** What an engine can do with images, the same for all. Names have a registry, so that all call them the same. */
export interface ImagePeer {
  name: string;
  /** @returns the id of the image, found by the name that the archive gives it */
  load(archive: string): Promise<string>;
  save(name: string, archive: string): Promise<void>;
  push(name: string, target: string): Promise<void>;
  pull(target: string): Promise<string>;
  /** Runs a script in a container of the image, and makes an image of what it left. @returns its id */
  change(image: string, script: string, name: string): Promise<string>;
  tree(image: string, options?: TreeOptions): Promise<ReadonlyMap<string, string>>;
}

function loadedName(output: string): string {
  return /^Loaded image: (\S+)$/m.exec(output)?.[1] ?? assert.fail(`nothing was loaded: ${output}`);
}

/** `work` is a folder for views of images. */
export function dockerPeer(name: string, docker: Docker, work: string): ImagePeer {
  const idOf = (image: string): Promise<string> => docker.inspect<string>(image, '.Id');
  return {
    name,
    load: async (archive) => idOf(loadedName(await docker.ok('load', '-i', archive))),
    save: async (image, archive) => void (await docker.ok('save', '-o', archive, image)),
    push: async (image, target) => {
      await docker.ok('tag', image, target);
      await docker.ok('push', target);
    },
    pull: async (target) => {
      await docker.ok('pull', target);
      return idOf(target);
    },
    change: async (image, script, made) => {
      const container = `change-${made.replaceAll(/\W/g, '-')}`;
      await docker.ok('run', '--name', container, '--network', 'none', image, 'sh', '-ec', script);
      await docker.ok('commit', container, made);
      await docker.ok('rm', container);
      return idOf(made);
    },
    tree: async (image, options) => {
      const { LowerDir, UpperDir } = await docker.inspect<{ LowerDir?: string; UpperDir: string }>(
        image,
        '.GraphDriver.Data',
      );
      const empty = join(work, 'empty');
      const target = mkdtempSync(join(work, 'view-'));
      mkdirSync(empty, { recursive: true });
      mountOverlay({ lower: [UpperDir, ...(LowerDir?.split(':') ?? []), empty], target });
      try {
        return describeTree(target, options);
      } finally {
        unmount(target);
      }
    },
  };
}

export function podmanPeer(tool: ContainerTools): ImagePeer {
  const podman = (...args: string[]): Promise<string> => tool.ok('podman', ...args);
  const idOf = async (image: string): Promise<string> =>
    `sha256:${await podman('image', 'inspect', '--format', '{{.Id}}', image)}`;
  return {
    name: 'podman',
    load: async (archive) => idOf(loadedName(await podman('load', '-i', archive))),
    save: async (image, archive) => void (await podman('save', '-q', '-o', archive, image)),
    push: async (image, target) => void (await podman('push', '-q', '--tls-verify=false', image, `docker://${target}`)),
    pull: async (target) => {
      await podman('pull', '-q', '--tls-verify=false', target);
      return idOf(target);
    },
    // Without its monitor, which would look for podman in /usr.
    change: async (image, script, made) => {
      const container = await podman('create', '--network', 'none', image, 'sh');
      await tool.ok('chroot', await podman('mount', container), 'sh', '-ec', script);
      await podman('unmount', container);
      await podman('commit', '-q', '--format', 'docker', container, made);
      await podman('rm', container);
      return idOf(made);
    },
    tree: async (image, options) => {
      const path = await podman('image', 'mount', image);
      try {
        return describeTree(tool.reach(path), options);
      } finally {
        await podman('image', 'unmount', image);
      }
    },
  };
}
