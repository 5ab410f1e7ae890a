/** `--ssh default|ID[=SOCKET|KEY[,KEY]]` (docker/buildx, util/buildflags/ssh.go; buildkit, session/sshforward/sshprovider). */
import { readFileSync, type Stats, statSync } from 'node:fs';
import { type AgentSource, parsePrivateKey } from '../../buildkit/index.ts';
import { Fault } from '../../std/index.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws Fault invalid, not-found */
export function parseAgents(values: readonly string[], env: Environment): Map<string, AgentSource> {
  const agents = new Map<string, AgentSource>();
  for (const value of values) {
    const equals = value.indexOf('=');
    const id = (equals < 0 ? value : value.slice(0, equals)) || 'default';
    if (agents.has(id)) throw new Fault('invalid', `duplicate SSH agent id ${JSON.stringify(id)}`);
    agents.set(id, agentOf(id, equals < 0 ? [] : value.slice(equals + 1).split(','), env));
  }
  return agents;
}

function agentOf(id: string, paths: readonly string[], env: Environment): AgentSource {
  if (paths.length === 0) {
    const socket = env['SSH_AUTH_SOCK'];
    if (socket === undefined || socket === '') {
      throw new Fault(
        'invalid',
        `invalid empty ssh agent socket for ${id}: make sure SSH_AUTH_SOCK is set, or name a key: --ssh ${id}=FILE`,
      );
    }
    return { socket };
  }
  const found = paths.map((path) => ({ path, stats: mustStat(path) }));
  const sockets = found.filter(({ stats }) => stats.isSocket());
  if (sockets.length === 0) {
    return { keys: found.map(({ path }) => parsePrivateKey(readFileSync(path, 'utf8'), path)) };
  }
  if (found.length > 1) throw new Fault('invalid', `Cannot use --ssh ${id}: one socket, or keys, but not both`);
  return { socket: paths[0]! };
}

function mustStat(path: string): Stats {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new Fault('not-found', `Cannot use SSH key ${path}: no such file or directory`);
  return stats;
}
