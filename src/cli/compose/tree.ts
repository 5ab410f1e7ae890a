/** The verbs of `wherry compose`, and the flags before them: docker compose's. */
import type { TreeNode } from '../tree.ts';

export const composeFlags = `
      --all-resources              Include all resources, even those not used by services
      --ansi string                Control when to print ANSI control characters ("never"|"always"|"auto") (default "auto")
      --compatibility              Run compose in backward compatibility mode
      --dry-run                    Print what would be done and why, and do nothing
      --env-file stringArray       Specify an alternate environment file
  -f, --file stringArray           Compose configuration files
      --parallel int               Control max parallelism, -1 for unlimited (default -1)
      --profile stringArray        Specify a profile to enable
      --progress string            Set type of progress output (auto, tty, plain, json, quiet)
      --project-directory string   Specify an alternate working directory
                                   (default: the path of the, first specified, Compose file)
  -p, --project-name string        Project name
`;

export const hiddenComposeFlags = `
      --no-ansi                    !please use '--ansi' instead
      --verbose
      --workdir string             =project-directory
`;

export const composeCommands: Readonly<Record<string, TreeNode>> = {
  attach: {
    short: "Attach your terminal to a service's running container",
    load: () => import('../commands/compose-attach.ts'),
  },
  build: { short: 'Build or rebuild services', load: () => import('../commands/compose-build.ts') },
  commit: {
    short: "Create a new image from a service container's changes",
    load: () => import('../commands/compose-commit.ts'),
  },
  config: {
    short: 'Parse, resolve and render compose file in canonical format',
    aliases: ['convert'],
    load: () => import('../commands/compose-config.ts'),
  },
  cp: {
    short: 'Copy files/folders between a service container and the local filesystem',
    load: () => import('../commands/compose-cp.ts'),
  },
  create: { short: 'Creates containers for a service', load: () => import('../commands/compose-create.ts') },
  down: { short: 'Stop and remove containers, networks', load: () => import('../commands/compose-down.ts') },
  events: { short: 'Receive real time events from containers', load: () => import('../commands/compose-events.ts') },
  exec: { short: 'Execute a command in a running container', load: () => import('../commands/compose-exec.ts') },
  export: {
    short: "Export a service container's filesystem as a tar archive",
    load: () => import('../commands/compose-export.ts'),
  },
  images: { short: 'List images used by the created containers', load: () => import('../commands/compose-images.ts') },
  kill: { short: 'Force stop service containers', load: () => import('../commands/compose-kill.ts') },
  logs: { short: 'View output from containers', load: () => import('../commands/compose-logs.ts') },
  ls: { short: 'List running compose projects', load: () => import('../commands/compose-ls.ts') },
  pause: { short: 'Pause services', load: () => import('../commands/compose-pause.ts') },
  port: { short: 'Print the public port for a port binding', load: () => import('../commands/compose-port.ts') },
  ps: { short: 'List containers', load: () => import('../commands/compose-ps.ts') },
  pull: { short: 'Pull service images', load: () => import('../commands/compose-pull.ts') },
  push: { short: 'Push service images', load: () => import('../commands/compose-push.ts') },
  restart: { short: 'Restart service containers', load: () => import('../commands/compose-restart.ts') },
  rm: { short: 'Removes stopped service containers', load: () => import('../commands/compose-rm.ts') },
  run: { short: 'Run a one-off command on a service', load: () => import('../commands/compose-run.ts') },
  scale: { short: 'Scale services', load: () => import('../commands/compose-scale.ts') },
  start: { short: 'Start services', load: () => import('../commands/compose-start.ts') },
  stats: {
    short: 'Display a live stream of container(s) resource usage statistics',
    load: () => import('../commands/compose-stats.ts'),
  },
  stop: { short: 'Stop services', load: () => import('../commands/compose-stop.ts') },
  top: { short: 'Display the running processes', load: () => import('../commands/compose-top.ts') },
  unpause: { short: 'Unpause services', load: () => import('../commands/compose-unpause.ts') },
  up: { short: 'Create and start containers', load: () => import('../commands/compose-up.ts') },
  version: {
    short: 'Show the Docker Compose version information',
    load: () => import('../commands/compose-version.ts'),
  },
  volumes: { short: 'List volumes', load: () => import('../commands/compose-volumes.ts') },
  wait: {
    short: 'Block until containers of all (or specified) services stop.',
    load: () => import('../commands/compose-wait.ts'),
  },
  watch: {
    short: 'Watch build context for service and rebuild/refresh containers when files are updated',
    load: () => import('../commands/compose-watch.ts'),
  },
};
