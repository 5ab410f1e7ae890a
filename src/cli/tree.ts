/** Every command by name: one line of help, and where its code is. Nothing is loaded before it is named. */
import type { Command } from './command.ts';
import { composeCommands, composeFlags, hiddenComposeFlags } from './compose/tree.ts';

export interface TreeNode {
  short: string;
  aliases?: readonly string[];
  hidden?: boolean;
  children?: Readonly<Record<string, TreeNode>>;
  load?: () => Promise<{ command: Command }>;
  /** Of a group: flag tables (see flag/table.ts) of what may stand before its command. */
  flags?: string;
  hiddenFlags?: string;
}

export const root: TreeNode = {
  short: 'A Docker-compatible container platform for local-first applications',
  children: {
    __complete: { short: 'Complete a command line', hidden: true, load: () => import('./commands/complete.ts') },
    attach: {
      short: 'Attach local standard input, output, and error streams to a running container',
      load: () => import('./commands/attach.ts'),
    },
    build: { short: 'Build an image from a Dockerfile', load: () => import('./commands/build.ts') },
    builder: {
      short: 'Manage builds',
      children: {
        build: { short: 'Build an image from a Dockerfile', load: () => import('./commands/build.ts') },
        du: { short: 'Show what the build cache takes', load: () => import('./commands/buildx-du.ts') },
        prune: { short: 'Remove build cache', load: () => import('./commands/builder-prune.ts') },
      },
    },
    buildx: {
      short: 'Build, with the names of the buildx plugin',
      children: {
        build: {
          short: 'Build an image from a Dockerfile',
          aliases: ['b'],
          load: () => import('./commands/build.ts'),
        },
        du: { short: 'Show what the build cache takes', load: () => import('./commands/buildx-du.ts') },
        history: {
          short: 'What was built before',
          children: {
            logs: {
              short: 'Print what a build printed',
              load: () => import('./commands/buildx-history-logs.ts'),
            },
            ls: {
              short: 'List builds',
              aliases: ['list'],
              load: () => import('./commands/buildx-history-ls.ts'),
            },
            rm: { short: 'Forget builds', load: () => import('./commands/buildx-history-rm.ts') },
          },
        },
        prune: { short: 'Remove build cache', load: () => import('./commands/buildx-prune.ts') },
      },
    },
    commit: { short: "Create a new image from a container's changes", load: () => import('./commands/commit.ts') },
    completion: { short: 'Print a completion script for your shell', load: () => import('./commands/completion.ts') },
    compose: {
      short: 'Define and run multi-container applications',
      flags: composeFlags,
      hiddenFlags: hiddenComposeFlags,
      children: composeCommands,
    },
    container: {
      short: 'Manage containers',
      children: {
        attach: {
          short: 'Attach local standard input, output, and error streams to a running container',
          load: () => import('./commands/attach.ts'),
        },
        commit: { short: "Create a new image from a container's changes", load: () => import('./commands/commit.ts') },
        cp: {
          short: 'Copy files/folders between a container and the local filesystem',
          load: () => import('./commands/cp.ts'),
        },
        create: { short: 'Create a new container', load: () => import('./commands/create.ts') },
        diff: {
          short: "Inspect changes to files or directories on a container's filesystem",
          load: () => import('./commands/diff.ts'),
        },
        exec: { short: 'Execute a command in a running container', load: () => import('./commands/exec.ts') },
        export: {
          short: "Export a container's filesystem as a tar archive",
          load: () => import('./commands/export.ts'),
        },
        inspect: {
          short: 'Display detailed information on one or more containers',
          load: () => import('./commands/container-inspect.ts'),
        },
        kill: { short: 'Kill one or more running containers', load: () => import('./commands/kill.ts') },
        logs: { short: 'Fetch the logs of a container', load: () => import('./commands/logs.ts') },
        ls: { short: 'List containers', aliases: ['list', 'ps'], load: () => import('./commands/ps.ts') },
        pause: {
          short: 'Pause all processes within one or more containers',
          load: () => import('./commands/pause.ts'),
        },
        port: {
          short: 'List port mappings or a specific mapping for the container',
          load: () => import('./commands/port.ts'),
        },
        prune: { short: 'Remove all stopped containers', load: () => import('./commands/container-prune.ts') },
        rename: { short: 'Rename a container', load: () => import('./commands/rename.ts') },
        restart: { short: 'Restart one or more containers', load: () => import('./commands/restart.ts') },
        rm: { short: 'Remove one or more containers', aliases: ['remove'], load: () => import('./commands/rm.ts') },
        run: { short: 'Create and run a new container from an image', load: () => import('./commands/run.ts') },
        start: { short: 'Start one or more stopped containers', load: () => import('./commands/start.ts') },
        stats: {
          short: 'Display a live stream of container(s) resource usage statistics',
          load: () => import('./commands/stats.ts'),
        },
        stop: { short: 'Stop one or more running containers', load: () => import('./commands/stop.ts') },
        top: { short: 'Display the running processes of a container', load: () => import('./commands/top.ts') },
        unpause: {
          short: 'Unpause all processes within one or more containers',
          load: () => import('./commands/unpause.ts'),
        },
        update: { short: 'Update configuration of one or more containers', load: () => import('./commands/update.ts') },
        wait: {
          short: 'Block until one or more containers stop, then print their exit codes',
          load: () => import('./commands/wait.ts'),
        },
      },
    },
    context: {
      short: 'Manage contexts',
      children: {
        create: { short: 'Create a context', load: () => import('./commands/context-create.ts') },
        export: {
          short: 'Export a context to a tar archive FILE or a tar stream on STDOUT.',
          load: () => import('./commands/context-export.ts'),
        },
        import: {
          short: 'Import a context from a tar or zip file',
          load: () => import('./commands/context-import.ts'),
        },
        inspect: {
          short: 'Display detailed information on one or more contexts',
          load: () => import('./commands/context-inspect.ts'),
        },
        ls: { short: 'List contexts', aliases: ['list'], load: () => import('./commands/context-ls.ts') },
        rm: {
          short: 'Remove one or more contexts',
          aliases: ['remove'],
          load: () => import('./commands/context-rm.ts'),
        },
        show: { short: 'Print the name of the current context', load: () => import('./commands/context-show.ts') },
        update: { short: 'Update a context', load: () => import('./commands/context-update.ts') },
        use: { short: 'Set the current docker context', load: () => import('./commands/context-use.ts') },
      },
    },
    cp: {
      short: 'Copy files/folders between a container and the local filesystem',
      load: () => import('./commands/cp.ts'),
    },
    create: { short: 'Create a new container', load: () => import('./commands/create.ts') },
    debug: {
      short: 'Open a shell in the state before the step at which a build failed',
      load: () => import('./commands/debug.ts'),
    },
    diff: {
      short: "Inspect changes to files or directories on a container's filesystem",
      load: () => import('./commands/diff.ts'),
    },
    events: { short: 'Get real time events from the server', load: () => import('./commands/events.ts') },
    exec: { short: 'Execute a command in a running container', load: () => import('./commands/exec.ts') },
    export: { short: "Export a container's filesystem as a tar archive", load: () => import('./commands/export.ts') },
    history: { short: 'Show the history of an image', load: () => import('./commands/history.ts') },
    image: {
      short: 'Manage images',
      children: {
        bootstrap: {
          short: 'Make base images from this machine’s own package sources',
          load: () => import('./commands/image-bootstrap.ts'),
        },
        build: { short: 'Build an image from a Dockerfile', load: () => import('./commands/build.ts') },
        diff: { short: 'Show what differs between two images', load: () => import('./commands/image-diff.ts') },
        history: { short: 'Show the history of an image', load: () => import('./commands/history.ts') },
        import: {
          short: 'Import the contents from a tarball to create a filesystem image',
          load: () => import('./commands/import.ts'),
        },
        inspect: {
          short: 'Display detailed information on one or more images',
          load: () => import('./commands/image-inspect.ts'),
        },
        load: { short: 'Load an image from a tar archive or STDIN', load: () => import('./commands/load.ts') },
        ls: { short: 'List images', aliases: ['list'], load: () => import('./commands/images.ts') },
        prune: { short: 'Remove unused images', load: () => import('./commands/image-prune.ts') },
        pull: { short: 'Download an image from a registry', load: () => import('./commands/pull.ts') },
        push: { short: 'Upload an image to a registry', load: () => import('./commands/push.ts') },
        rm: { short: 'Remove one or more images', aliases: ['remove'], load: () => import('./commands/rmi.ts') },
        save: {
          short: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
          load: () => import('./commands/save.ts'),
        },
        tag: {
          short: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
          load: () => import('./commands/tag.ts'),
        },
      },
    },
    images: { short: 'List images', load: () => import('./commands/images.ts') },
    import: {
      short: 'Import the contents from a tarball to create a filesystem image',
      load: () => import('./commands/import.ts'),
    },
    info: { short: 'Display system-wide information', load: () => import('./commands/info.ts') },
    inspect: { short: 'Return low-level information on Docker objects', load: () => import('./commands/inspect.ts') },
    kill: { short: 'Kill one or more running containers', load: () => import('./commands/kill.ts') },
    load: { short: 'Load an image from a tar archive or STDIN', load: () => import('./commands/load.ts') },
    login: { short: 'Authenticate to a registry.', load: () => import('./commands/login.ts') },
    logout: { short: 'Log out from a registry.', load: () => import('./commands/logout.ts') },
    logs: { short: 'Fetch the logs of a container', load: () => import('./commands/logs.ts') },
    network: {
      short: 'Manage networks',
      children: {
        connect: { short: 'Connect a container to a network', load: () => import('./commands/network-connect.ts') },
        create: { short: 'Create a network', load: () => import('./commands/network-create.ts') },
        disconnect: {
          short: 'Disconnect a container from a network',
          load: () => import('./commands/network-disconnect.ts'),
        },
        inspect: {
          short: 'Display detailed information on one or more networks',
          load: () => import('./commands/network-inspect.ts'),
        },
        ls: { short: 'List networks', aliases: ['list'], load: () => import('./commands/network-ls.ts') },
        prune: { short: 'Remove all unused networks', load: () => import('./commands/network-prune.ts') },
        rm: {
          short: 'Remove one or more networks',
          aliases: ['remove'],
          load: () => import('./commands/network-rm.ts'),
        },
      },
    },
    pause: { short: 'Pause all processes within one or more containers', load: () => import('./commands/pause.ts') },
    port: {
      short: 'List port mappings or a specific mapping for the container',
      load: () => import('./commands/port.ts'),
    },
    ps: { short: 'List containers', load: () => import('./commands/ps.ts') },
    pull: { short: 'Download an image from a registry', load: () => import('./commands/pull.ts') },
    push: { short: 'Upload an image to a registry', load: () => import('./commands/push.ts') },
    rename: { short: 'Rename a container', load: () => import('./commands/rename.ts') },
    restart: { short: 'Restart one or more containers', load: () => import('./commands/restart.ts') },
    rm: { short: 'Remove one or more containers', load: () => import('./commands/rm.ts') },
    rmi: { short: 'Remove one or more images', load: () => import('./commands/rmi.ts') },
    run: { short: 'Create and run a new container from an image', load: () => import('./commands/run.ts') },
    save: {
      short: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
      load: () => import('./commands/save.ts'),
    },
    search: { short: 'Search Docker Hub for images', load: () => import('./commands/search.ts') },
    start: { short: 'Start one or more stopped containers', load: () => import('./commands/start.ts') },
    stats: {
      short: 'Display a live stream of container(s) resource usage statistics',
      load: () => import('./commands/stats.ts'),
    },
    stop: { short: 'Stop one or more running containers', load: () => import('./commands/stop.ts') },
    system: {
      short: 'Manage Wherry',
      children: {
        df: { short: 'Show docker disk usage', load: () => import('./commands/system-df.ts') },
        'dial-stdio': {
          short: 'Proxy the stdio stream to the daemon connection. Should not be invoked manually.',
          hidden: true,
          load: () => import('./commands/system-dial-stdio.ts'),
        },
        doctor: {
          short: 'Check whether this machine has what the engine needs, and say how to mend it',
          load: () => import('./commands/system-doctor.ts'),
        },
        events: { short: 'Get real time events from the server', load: () => import('./commands/events.ts') },
        info: { short: 'Display system-wide information', load: () => import('./commands/info.ts') },
        install: {
          short: 'Install the daemon as a systemd service',
          load: () => import('./commands/system-install.ts'),
        },
        logs: { short: "Show the daemon's log", load: () => import('./commands/system-logs.ts') },
        prune: { short: 'Remove unused data', load: () => import('./commands/system-prune.ts') },
        start: { short: 'Start the daemon', load: () => import('./commands/system-start.ts') },
        status: { short: 'Tell whether the daemon runs, and where', load: () => import('./commands/system-status.ts') },
        stop: { short: 'Stop the daemon', load: () => import('./commands/system-stop.ts') },
        uninstall: {
          short: 'Stop the daemon and remove its service, firewall rules and links',
          load: () => import('./commands/system-uninstall.ts'),
        },
        verify: {
          short: 'Check that what is on disk is what should be, and mend it',
          load: () => import('./commands/system-verify.ts'),
        },
      },
    },
    tag: { short: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE', load: () => import('./commands/tag.ts') },
    top: { short: 'Display the running processes of a container', load: () => import('./commands/top.ts') },
    unpause: {
      short: 'Unpause all processes within one or more containers',
      load: () => import('./commands/unpause.ts'),
    },
    update: { short: 'Update configuration of one or more containers', load: () => import('./commands/update.ts') },
    version: { short: 'Show the Docker version information', load: () => import('./commands/version.ts') },
    volume: {
      short: 'Manage volumes',
      children: {
        create: { short: 'Create a volume', load: () => import('./commands/volume-create.ts') },
        inspect: {
          short: 'Display detailed information on one or more volumes',
          load: () => import('./commands/volume-inspect.ts'),
        },
        ls: { short: 'List volumes', aliases: ['list'], load: () => import('./commands/volume-ls.ts') },
        prune: { short: 'Remove unused local volumes', load: () => import('./commands/volume-prune.ts') },
        restore: { short: 'Bring a removed volume back', load: () => import('./commands/volume-restore.ts') },
        trash: {
          short: 'List removed volumes that can be brought back',
          load: () => import('./commands/volume-trash.ts'),
        },
        rename: { short: 'Give a volume another name', load: () => import('./commands/volume-rename.ts') },
        rm: {
          short: 'Remove one or more volumes. You cannot remove a volume that is in use by a container.',
          aliases: ['remove'],
          load: () => import('./commands/volume-rm.ts'),
        },
      },
    },
    wait: {
      short: 'Block until one or more containers stop, then print their exit codes',
      load: () => import('./commands/wait.ts'),
    },
  },
};

/** Every way to call the command, the one in a group first: those that load the same code. */
export function aliasesOf(node: TreeNode): string[] {
  const code = node.load?.toString();
  if (code === undefined) return [];
  const paths: { grouped: boolean; path: string }[] = [];
  const visit = (current: TreeNode, path: readonly string[]): void => {
    for (const [name, child] of Object.entries(current.children ?? {})) {
      if (child.load?.toString() === code) {
        for (const each of [name, ...(child.aliases ?? [])]) {
          paths.push({ grouped: path.length > 0, path: [...path, each].join(' ') });
        }
      }
      visit(child, [...path, name]);
    }
  };
  visit(root, []);
  return [...paths.filter((each) => each.grouped), ...paths.filter((each) => !each.grouped)].map((each) => each.path);
}
