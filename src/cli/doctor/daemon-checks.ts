/** The daemon on this machine, its neighbours, and where commands go. */
import { daemonProgram, servicePath, socketPath, socketUnitPath } from '../daemon/paths.ts';
import { serviceUnit, socketGroup, socketUnit } from '../daemon/units.ts';
import { type Check, fail, ok, warn } from './check.ts';
import type { Host } from './host.ts';

const dockerSocket = '/var/run/docker.sock';

export const daemonChecks: readonly Check[] = [
  {
    id: 'socket',
    title: 'Daemon',
    async run(host) {
      const answer = await host.ask(host.socket);
      switch (answer.state) {
        case 'answers':
          return isOurs(answer.platform)
            ? ok(`${answer.platform} answers at ${host.socket}`)
            : warn(`${answer.platform} answers at ${host.socket}, and not Wherry`, 'wherry context ls');
        case 'absent':
          return warn('does not run', host.uid === 0 ? 'wherry system start' : 'sudo wherry system start');
        case 'denied':
          return fail(`${host.user} may not use ${host.socket}`, await permission(host));
        case 'refused':
          return warn(`${host.socket} is left over: nobody listens`, 'sudo wherry system start');
        default:
          return fail(`nothing is answered at ${host.socket} within two seconds`, 'wherry system logs -n 50');
      }
    },
  },
  {
    id: 'socket-mode',
    title: 'Socket',
    run(host) {
      const facts = host.stat(host.socket);
      if (facts === undefined) return ok('none yet');
      const text = `${host.socket} has mode ${facts.mode.toString(8)}`;
      if (facts.kind !== 'socket') return fail(`${host.socket} is not a socket`, `sudo rm ${host.socket}`);
      if ((facts.mode & 0o006) !== 0)
        return fail(`${text}: every user of this machine is root through it`, `sudo chmod 660 ${host.socket}`);
      return facts.uid === 0 || facts.uid === host.uid
        ? ok(text)
        : warn(`${host.socket} belongs to user ${facts.uid}`, `sudo chown root ${host.socket}`);
    },
  },
  {
    id: 'pidfile',
    title: 'Pidfile',
    run(host) {
      const text = host.read(host.pidfile)?.trim();
      if (text === undefined) return ok('none');
      const command = host.read(`/proc/${text}/cmdline`);
      if (/^\d+$/.test(text) && command !== undefined && /wherryd|server\/main/.test(command))
        return ok(`process ${text}`);
      return warn(
        command === undefined
          ? `${host.pidfile} names process ${text}, which is gone`
          : `${host.pidfile} names process ${text}, which is another program`,
        `sudo rm ${host.pidfile}`,
      );
    },
  },
  {
    id: 'service',
    title: 'Service',
    run(host) {
      const [service, socket] = [host.read(servicePath), host.read(socketUnitPath)];
      if (service === undefined)
        return ok('not installed; wherry system install makes the daemon start with the machine');
      return service === serviceUnit(daemonProgram()) &&
        socket === socketUnit(socketPath, socketGroup(host.read('/etc/group') ?? ''))
        ? ok(servicePath)
        : warn(`${servicePath} is not what this version writes`, 'sudo wherry system install');
    },
  },
  {
    id: 'docker-socket',
    title: 'docker.sock',
    async run(host) {
      const answer = await host.ask(dockerSocket);
      if (answer.state === 'answers') return ok(`${answer.platform} answers at ${dockerSocket}`);
      if (answer.state === 'absent')
        return ok(`not there: programs that look for ${dockerSocket} need DOCKER_HOST=unix://${host.socket}`);
      if (answer.state === 'denied') return ok(`there, but not for ${host.user}`);
      return warn(`${dockerSocket} is there and nobody answers`, `ls -l ${dockerSocket}`);
    },
  },
  {
    id: 'neighbours',
    title: 'Other engines',
    run(host) {
      const names = new Set(host.processes());
      const running = ['dockerd', 'podman', 'k3s-server', 'kubelet'].filter((name) => names.has(name));
      return ok(
        running.length === 0 ? 'none run' : `${running.join(', ')} beside; each has networks and images of its own`,
      );
    },
  },
  {
    id: 'endpoint',
    title: 'Endpoint',
    run(host) {
      const { url, because } = host.endpoint;
      const docker = host.env['DOCKER_HOST'];
      if (because === undefined) return ok(url);
      if (url === `unix://${host.socket}`) return ok(`${url} (${because})`);
      return warn(
        `commands go to ${url}, for ${because} says so; this machine's daemon is at ${host.socket}`,
        because === 'DOCKER_HOST' && docker !== undefined ? 'unset DOCKER_HOST' : 'wherry context use default',
      );
    },
  },
];

/** How a user gets in: by the group that the socket belongs to, unless that is root's. */
async function permission(host: Host): Promise<string> {
  const gid = host.stat(host.socket)?.gid;
  const group = (host.read('/etc/group') ?? '')
    .split('\n')
    .map((line) => line.split(':'))
    .find((cells) => Number(cells[2]) === gid)?.[0];
  return group === undefined || group === 'root'
    ? 'use sudo'
    : `sudo usermod -aG ${group} ${host.user}, then log in again (that makes ${host.user} root in effect)`;
}

function isOurs(platform: string): boolean {
  return platform.startsWith('Wherry');
}
