/**
 * `npm start`: the engine comes up, a Debian-based image is made from the host's own package sources, a web server container
 * answers on a published port, and the screen says what happened and what to type next.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'node:http';

const root = resolve(import.meta.dirname, '..');
const shown = process.cwd() === root ? 'bin/wherry' : join(root, 'bin/wherry');
const socket = process.env['WHERRY_SOCKET'] ?? '/run/wherry/wherry.sock';
const image = 'wherry/hello:debian';
const name = 'hello';
const bold = (text: string): string => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[0m` : text);
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const step = (text: string): void => say(`${bold('==>')} ${text}`);

function fail(text: string): never {
  process.stderr.write(`wherry: ${text}\n`);
  process.exit(1);
}

/** One call of the Engine API; the CLI is for people, this is a program. */
function call(
  method: string,
  path: string,
  body?: NodeJS.ReadableStream | object,
): Promise<{ status: number; text: string }> {
  return new Promise((done, reject) => {
    const stream = body !== undefined && 'pipe' in body;
    const message = request(
      {
        socketPath: socket,
        method,
        path,
        headers: body === undefined ? {} : { 'Content-Type': stream ? 'application/x-tar' : 'application/json' },
      },
      (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => {
          text += chunk.toString('utf8');
        });
        answer.on('end', () => done({ status: answer.statusCode ?? 0, text }));
      },
    );
    message.on('error', reject);
    if (stream) body.pipe(message);
    else message.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function must(method: string, path: string, body?: NodeJS.ReadableStream | object): Promise<string> {
  const { status, text } = await call(method, path, body);
  if (status >= 400) fail(`${method} ${path}: ${text.trim()}`);
  return text;
}

async function answers(): Promise<boolean> {
  try {
    return (await call('GET', '/_ping')).status === 200;
  } catch {
    return false;
  }
}

async function startEngine(): Promise<void> {
  if (await answers()) {
    step(`the engine is up already (${socket})`);
    return;
  }
  if (process.getuid?.() !== 0) fail('the engine needs root to make containers. Run: sudo npm start');
  const logs = '/var/log/wherry';
  mkdirSync(logs, { recursive: true, mode: 0o755 });
  const log = join(logs, 'wherryd.log');
  const out = openSync(log, 'a');
  const extra = process.env['WHERRYD_ARGS']?.split(' ').filter(Boolean) ?? [];
  const daemon: ChildProcess = spawn(join(root, 'bin/wherryd'), ['-H', `unix://${socket}`, ...extra], {
    detached: true,
    stdio: ['ignore', out, out],
  });
  daemon.unref();
  for (let attempt = 0; attempt < 150; attempt++) {
    if (await answers()) {
      step(`the engine is up: ${socket} (log: ${log})`);
      return;
    }
    if (daemon.exitCode !== null) break;
    await sleep(100);
  }
  fail(`the engine did not come up; its last words:\n${readFileSync(log, 'utf8').split('\n').slice(-6).join('\n')}`);
}

function run(file: string, args: string[]): void {
  const result = spawnSync(file, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  if (result.status !== 0)
    fail(`${file} failed: ${(result.error?.message ?? result.stderr).trim().split('\n').slice(-4).join('\n')}`);
}

async function makeImage(): Promise<void> {
  if ((await call('GET', `/images/${image}/json`)).status === 200) {
    step(`the image ${image} is there already`);
    return;
  }
  const folder = '/var/cache/wherry';
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const tar = join(folder, 'hello-debian.tar');
  if (!existsSync(tar)) {
    step("making a Debian image from this machine's own package sources (about half a minute, once)");
    const partial = `${tar}.partial`;
    rmSync(partial, { force: true });
    run('mmdebstrap', [
      '--variant=minbase',
      '--quiet',
      '--format=tar',
      '--include=busybox',
      '--dpkgopt=path-exclude=/usr/share/doc/*',
      '--dpkgopt=path-exclude=/usr/share/man/*',
      suite(),
      partial,
    ]);
    run('mv', [partial, tar]);
  }
  const changes = ['CMD ["/bin/bash"]', 'ENV DEBIAN_FRONTEND=noninteractive', 'LABEL org.wherry.made-by=mmdebstrap'];
  const query = new URLSearchParams([
    ['fromSrc', '-'],
    ['repo', 'wherry/hello'],
    ['tag', 'debian'],
    ...changes.map((change): [string, string] => ['changes', change]),
  ]);
  const answer = await must('POST', `/images/create?${query.toString()}`, createReadStream(tar));
  if (answer.includes('"error"')) fail(answer.trim());
  step(`the image ${image} is made`);
}

/** This host's release, so that its configured sources fit. */
function suite(): string {
  const text = readFileSync('/etc/os-release', 'utf8');
  return /^VERSION_CODENAME=(\S+)$/m.exec(text)?.[1] ?? 'stable';
}

function freePort(wanted: number): Promise<number> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(freePort(wanted + 1)));
    probe.listen(wanted, '127.0.0.1', () => probe.close(() => done(wanted)));
  });
}

async function startWeb(): Promise<number> {
  const existing = await call('GET', `/containers/${name}/json`);
  if (existing.status === 200) {
    const state = JSON.parse(existing.text) as {
      State: { Running: boolean };
      NetworkSettings: { Ports: Record<string, { HostPort: string }[] | null> };
    };
    const port = Number(state.NetworkSettings.Ports['80/tcp']?.[0]?.HostPort);
    if (state.State.Running && port > 0) return port;
    await must('DELETE', `/containers/${name}?force=1`);
  }
  const port = await freePort(8080);
  const page =
    '<!doctype html><meta charset=utf-8><title>Wherry</title><h1>It runs.</h1><p>This page comes from a Debian container on your own machine.</p>';
  await must('POST', `/containers/create?name=${name}`, {
    Image: image,
    Cmd: [
      'sh',
      '-c',
      'mkdir -p /srv/www && printf %s "$PAGE" > /srv/www/index.html && exec busybox httpd -f -p 80 -h /srv/www',
    ],
    Env: [`PAGE=${page}`],
    ExposedPorts: { '80/tcp': {} },
    HostConfig: {
      Init: true,
      PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }] },
      RestartPolicy: { Name: 'unless-stopped' },
    },
  });
  await must('POST', `/containers/${name}/start`);
  return port;
}

async function fetched(port: number): Promise<string> {
  let problem = 'no answer';
  for (let attempt = 0; attempt < 50; attempt++) {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/`);
      if (answer.ok) return await answer.text();
      problem = `HTTP ${answer.status}`;
    } catch (error) {
      problem = (error as Error).message;
    }
    await sleep(100);
  }
  return fail(`the web server in the container does not answer on port ${port}: ${problem}`);
}

await startEngine();
await makeImage();
const started = performance.now();
const port = await startWeb();
const page = await fetched(port);
step(`the container "${name}" answers on http://127.0.0.1:${port}/ (${Math.round(performance.now() - started)} ms)`);
say(`    ${/<h1>(.*?)<\/h1>/.exec(page)?.[1] ?? ''}`);
const host = socket === '/run/wherry/wherry.sock' ? '' : `WHERRY_HOST=unix://${socket} `;
say(`
What to type next:
  ${host}${shown} ps                              see it run
  ${host}${shown} logs ${name}                      what it says
  ${host}${shown} exec -it ${name} bash             look inside
  ${host}${shown} run --rm -it ${image} bash   a container of your own
  ${host}${shown} rm -f ${name}                     remove it
  DOCKER_HOST=unix://${socket} docker ps    the stock docker CLI works, too`);
