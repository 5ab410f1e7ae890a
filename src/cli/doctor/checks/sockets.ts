/** Who answers where, and what was left behind. */
import { type Check, fail, type Finding, ok, type Patient, runs, skip, together, warn } from '../check.ts';
import type { Answer } from '../host.ts';

export const socketChecks: readonly Check[] = [
  { id: 'engine', title: 'The engine', run: engineAnswers },
  { id: 'socket', title: 'Permissions of its socket', run: permissions },
  { id: 'docker-socket', title: '/var/run/docker.sock', run: dockerSocket },
  { id: 'pidfile', title: 'Pidfile', run: pidfile },
  { id: 'service', title: 'Service', run: service },
];

const socketPath = '/run/wherry/wherry.sock';
const pidPath = '/run/wherry/wherryd.pid';

function engineAnswers({ host, engine }: Patient): Finding {
  const { socket, answer, url, isDefault } = engine;
  if (socket === undefined) return skip(`${url} is on another machine, or behind TCP: examine it there`);
  const start = isDefault ? 'sudo wherry system start' : `Start it, or name another one with -H or DOCKER_HOST.`;
  if (answer.kind === 'engine')
    return answer.product === 'Wherry'
      ? ok(`Wherry answers at ${socket} (API of Docker ${answer.version})`)
      : warn(
          `${answer.product} ${answer.version} answers at ${socket}, not Wherry`,
          `wherry -H unix://${socketPath} info`,
        );
  const findings: Record<typeof answer.kind, Finding> = {
    absent: warn(`does not run: there is no ${socket}`, start),
    refused: fail(`nobody listens at ${socket}: its daemon was killed`, `sudo rm ${socket}`, start),
    denied: warn(
      `${socket} is not for ${host.user}`,
      `sudo usermod -aG ${groupOf({ host, engine }) ?? 'docker'} ${host.user}, then log in again (its members are as good as root)`,
    ),
    silent: fail(`${socket} is open, but nobody answers`, 'wherry system logs -n 50', 'sudo systemctl restart wherry'),
  };
  return findings[answer.kind];
}

function groupOf({ host, engine }: Patient): string | undefined {
  const gid = engine.socket === undefined ? undefined : host.stat(engine.socket)?.gid;
  if (gid === undefined || gid === 0) return undefined;
  return nameOfGroup({ host }, gid);
}

function nameOfGroup({ host }: Pick<Patient, 'host'>, gid: number): string {
  const line = (host.read('/etc/group') ?? '').split('\n').find((each) => each.split(':')[2] === String(gid));
  return line?.split(':')[0] ?? String(gid);
}

function permissions({ host, engine: { socket } }: Patient): Finding {
  const facts = socket === undefined ? undefined : host.stat(socket);
  if (socket === undefined || facts === undefined) return skip('there is no socket');
  if (facts.kind !== 'socket' && facts.kind !== 'link')
    return fail(`${socket} is not a socket`, `sudo rm -r ${socket}`);
  const mode = facts.mode.toString(8).padStart(4, '0');
  if (facts.kind === 'socket' && (facts.mode & 0o006) !== 0)
    return fail(
      `${socket} has mode ${mode}: every user of this machine is root through it`,
      `sudo chmod 0660 ${socket}`,
    );
  if (facts.uid !== 0 && facts.uid !== host.uid)
    return warn(`${socket} belongs to user ${facts.uid}`, `sudo chown root ${socket}`);
  return ok(`mode ${mode}, group ${nameOfGroup({ host }, facts.gid)}`);
}

async function dockerSocket({ host, engine }: Patient): Promise<Finding> {
  const path = '/var/run/docker.sock';
  const behind = host.resolve(path);
  const answer: Answer = await host.engineAt(path);
  const own = `export DOCKER_HOST=unix://${engine.socket ?? socketPath}`;
  if (answer.kind === 'engine')
    return ok(
      behind === engine.socket || answer.product === 'Wherry'
        ? 'Wherry answers there: clients need no DOCKER_HOST'
        : `${answer.product} ${answer.version} answers there; for Wherry: ${own}`,
    );
  const findings: Record<typeof answer.kind, Finding> = {
    absent: ok(`absent; clients need: ${own}`),
    refused: warn(`${path} was left behind: nobody listens there`, `sudo rm ${path}`),
    denied: ok(`not for ${host.user}`),
    silent: warn(`${path} is open, but nobody answers`, 'sudo systemctl restart docker'),
  };
  return findings[answer.kind];
}

/** Of the default place only: of other engines nothing says where theirs is. */
function pidfile(patient: Patient): Finding {
  const { host, engine } = patient;
  if (engine.socket !== socketPath) return skip('known only of the engine in its usual place');
  const text = host.read(pidPath);
  if (text === undefined) {
    return runs(patient) && host.stat(pidPath) === undefined
      ? warn(`the engine runs, but ${pidPath} is gone: a second one could be started`, 'sudo systemctl restart wherry')
      : ok('none');
  }
  const pid = text.trim();
  const line = /^\d+$/.test(pid) ? host.read(`/proc/${pid}/cmdline`) : undefined;
  if (line !== undefined && /wherry/.test(line)) return ok(`process ${pid}`);
  if (runs(patient))
    return warn(`${pidPath} names ${pid || 'no process'}, which is not the daemon`, 'sudo systemctl restart wherry');
  return warn(`${pidPath} was left behind`, `sudo rm ${pidPath}`);
}

async function service(patient: Patient): Promise<Finding> {
  const { host, engine } = patient;
  if (host.stat('/run/systemd/system') === undefined) return skip('systemd does not run here');
  const installed = [...engine.units].filter(([path]) => host.stat(path) !== undefined);
  if (installed.length === 0)
    return warn('not installed: the engine does not come back with the machine', 'sudo wherry system install');
  const shown = await host.run('systemctl', ['show', '-p', 'ActiveState', '-p', 'UnitFileState', 'wherry.service']);
  const value = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(shown?.stdout ?? '')?.[1] ?? 'unknown';
  const findings: Finding[] = [];
  if (value('ActiveState') === 'failed')
    findings.push(
      fail(
        'the service has failed',
        'journalctl -u wherry -n 50',
        'sudo systemctl reset-failed wherry && sudo systemctl start wherry',
      ),
    );
  const outdated =
    installed.length < engine.units.size || installed.some(([path, text]) => !isSame(host.read(path), text));
  if (outdated) findings.push(warn('units are not those of this version', 'sudo wherry system install'));
  const enabled = ['enabled', 'unknown'].includes(value('UnitFileState'));
  findings.push(ok(`${value('ActiveState')}, ${enabled ? 'starts with the machine' : 'starts with its first client'}`));
  return together(findings);
}

/** The group of the socket is the operator's choice. */
function isSame(found: string | undefined, wanted: string): boolean {
  const plain = (text: string): string => text.replace(/^SocketGroup=.*$/m, '');
  return found === undefined || plain(found) === plain(wanted);
}
