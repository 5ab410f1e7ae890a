/** What tests share: registries on loopback. A fake one whose answers a test decides, and Debian's docker-registry. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface FakeRegistry extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  host: string;
  /** `METHOD /path` of every request, in order. */
  log: string[];
}

/** Answers `GET /v2/` with 200 unless `answer` says otherwise by returning true. */
export async function fakeRegistry(
  answer: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>,
): Promise<FakeRegistry> {
  const log: string[] = [];
  const server = createServer((request, response) => {
    log.push(`${request.method} ${request.url}`);
    void (async () => {
      if (await answer(request, response)) return;
      request.resume();
      if (request.url === '/v2/') response.end('{}');
      else response.writeHead(404).end();
    })();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The program, or why the test is skipped. */
export function findRegistryProgram(env: NodeJS.ProcessEnv): { path: string } | { skip: string } {
  const places = [
    env['WHERRY_TEST_REGISTRY'] ?? '',
    ...(env['PATH'] ?? '').split(':').map((folder) => join(folder, 'docker-registry')),
  ];
  for (const path of places) {
    try {
      accessSync(path, constants.X_OK);
      return { path };
    } catch {
      continue;
    }
  }
  return { skip: 'needs docker-registry in PATH or WHERRY_TEST_REGISTRY' };
}

export interface RealRegistry extends AsyncDisposable {
  host: string;
}

/** Starts docker-registry on a free port; `htpasswd` lines turn on basic authentication. */
export async function realRegistry(path: string, htpasswd?: string): Promise<RealRegistry> {
  const root = mkdtempSync(join(tmpdir(), 'wherry-registry-'));
  const port = await freePort();
  const auth = htpasswd === undefined ? '' : `auth:\n  htpasswd:\n    realm: test\n    path: ${root}/htpasswd\n`;
  if (htpasswd !== undefined) writeFileSync(join(root, 'htpasswd'), htpasswd);
  writeFileSync(
    join(root, 'config.yml'),
    `version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: ${root}/data\nhttp:\n  addr: 127.0.0.1:${port}\n${auth}`,
  );
  const child = spawn(path, ['serve', join(root, 'config.yml')], { stdio: 'ignore' });
  try {
    await reachable(`http://127.0.0.1:${port}/v2/`, child);
  } catch (error) {
    child.kill();
    rmSync(root, { recursive: true, force: true });
    throw error;
  }
  return {
    host: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      const gone = new Promise((resolve) => child.once('close', resolve));
      if (child.exitCode === null) {
        child.kill();
        await gone;
      }
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createSocketServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function reachable(url: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (child.exitCode !== null) throw new Error(`docker-registry exited with ${child.exitCode}`);
    try {
      await (await fetch(url)).arrayBuffer();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error('docker-registry did not come up');
}
