/** What compose shows: progress lines, the board of a terminal, logs behind names, dry runs, and builds as words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, Project, Service, Step } from '../../compose/index.ts';
import { CaughtOutput } from '../fixture.ts';
import { openBoard } from './board.ts';
import { buildWords } from './build-words.ts';
import { dryRunText } from './dry-run.ts';
import { noExtras } from './images.ts';
import { LogPrinter } from './log-printer.ts';

test('plain progress is docker compose’s, json a line each, quiet nothing', () => {
  const shown = (mode: 'plain' | 'json' | 'quiet'): string => {
    const out = new CaughtOutput();
    const board = openBoard(mode, out, { title: 'Running', isColored: false });
    board.progress({ id: 'Container app-web-1', state: 'working', text: 'Creating' });
    board.stop();
    return out.text;
  };
  assert.equal(shown('plain'), ' Container app-web-1  Creating\n');
  assert.equal(shown('json'), '{"id":"Container app-web-1","status":"Creating"}\n');
  assert.equal(shown('quiet'), '');
});

test('a terminal shows a line for each thing, none wider than it', () => {
  const out = new CaughtOutput(true);
  const board = openBoard('tty', out, { title: 'Running', isColored: false });
  board.progress({ id: 'Network app_default', state: 'done', text: 'Created' });
  board.progress({ id: 'Container app-web-1', state: 'error', text: `no such thing ${'x'.repeat(100)}\nand more` });
  board.stop();
  const lines = out.text
    .replaceAll(/\x1b\[\w/g, '')
    .replaceAll('\r', '')
    .trimEnd()
    .split('\n');
  assert.equal(lines[0], '[+] Running 2/2');
  assert.match(lines[1]!, /^ ✔ Network app_default {2}Created +0\.0s$/);
  assert.match(lines[2]!, /^ ✘ Container app-web-1 {2}no such thing x+… +0\.0s$/);
  const before = out.text;
  board.progress({ id: 'Network app_default', state: 'done', text: 'Removed' });
  board.stop();
  assert.equal(out.text, before, 'what was written below meanwhile is not drawn over');
  for (const line of lines) assert.ok(line.length < 80, `${line.length}: ${line}`);
});

test('logs stand behind names of one width, errors on standard error, hooks in the colour of theirs', () => {
  const [out, err] = [new CaughtOutput(), new CaughtOutput()];
  const printer = new LogPrinter(out, err, { isColored: true, hasPrefix: true, hasTimestamps: false });
  printer.register(['db-1', 'worker-1']);
  printer.line('db-1', 'ready', 'stdout');
  printer.line('worker-1', 'oops', 'stderr');
  printer.line('db-1 ->', 'hooked', 'stdout');
  printer.status('db-1', 'exited with code 0');
  assert.equal(
    out.text,
    '\x1b[36mdb-1      | \x1b[0mready\n\x1b[36mdb-1 ->   | \x1b[0mhooked\n\x1b[36mdb-1 exited with code 0\n\x1b[0m',
  );
  assert.equal(err.text, '\x1b[33mworker-1  | \x1b[0moops\n');
});

test('a dry run says steps with reasons, or that nothing would change', () => {
  const container = {} as Container;
  const keep: Step = {
    kind: 'keep',
    container,
    subject: 'Container p-db-1',
    because: 'nothing of it changed',
    needs: [],
  };
  const stop: Step = {
    kind: 'container-stop',
    container,
    service: undefined,
    timeout: 1,
    subject: 'Container p-web-1',
    because: 'it was asked for',
    needs: [],
  };
  assert.equal(
    dryRunText({ steps: [keep, stop] }),
    'stop  Container p-web-1  because it was asked for\n1 step would be done. This was a dry run: nothing is changed.\n',
  );
  assert.equal(
    dryRunText({ steps: [keep] }),
    'keep  Container p-db-1  because nothing of it changed\nNothing would change.\n',
  );
});

test('a service’s build in the words of a build', () => {
  const service: Service = {
    name: 'web',
    command: null,
    entrypoint: null,
    platform: 'linux/amd64',
    build: {
      context: '/src',
      dockerfile: 'docker/Web.Dockerfile',
      args: { A: '1', FROM_ENV: null, GONE: null },
      target: 'final',
      tags: ['other:1'],
      no_cache: true,
      shm_size: 1024,
      extra_hosts: { host: ['10.0.0.1'] },
      ulimits: { nofile: { soft: 1, hard: 2 } },
      additional_contexts: { base: 'service:base', docs: '/docs' },
      secrets: [{ source: 'token' }, { source: 'file', target: 'id' }],
      ssh: { default: '' },
    },
  };
  const project = {
    name: 'app',
    services: { web: service, base: { name: 'base', command: null, entrypoint: null } },
    disabledServices: {},
    secrets: { token: { name: 't', environment: 'TOKEN' }, file: { name: 'f', file: '/s' } },
    environment: { FROM_ENV: 'e' },
  } as unknown as Project;
  assert.deepEqual(buildWords(project, service, { ...noExtras, args: ['A=2'] }, undefined), [
    '--file=/src/docker/Web.Dockerfile',
    '--tag=app-web',
    '--tag=other:1',
    '--target=final',
    '--build-arg=A=2',
    '--build-arg=FROM_ENV=e',
    '--label=com.docker.compose.version=2.40.3',
    '--label=com.docker.compose.project=app',
    '--label=com.docker.compose.service=web',
    '--no-cache',
    '--platform=linux/amd64',
    '--shm-size=1024',
    '--add-host=host:10.0.0.1',
    '--ulimit=nofile=1:2',
    '--build-context=base=docker-image://app-base',
    '--build-context=docs=/docs',
    '--secret=id=token,env=TOKEN',
    '--secret=id=id,src=/s',
    '--ssh=default',
    '/src',
  ]);
});
