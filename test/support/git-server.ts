/** Repositories over smart HTTP, by git's own backend, for tests: who asks is noted, and may be asked who he is. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const backend = ['/usr/lib/git-core/git-http-backend', '/usr/libexec/git-core/git-http-backend'].find((path) =>
  existsSync(path),
);

/** Why there is none, or false. */
export const noGitServer: string | false =
  backend === undefined ? 'no git-http-backend on this host (package git)' : false;

export class GitServer implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-git-'));
  /** Paths asked for, with their queries. */
  readonly requests: string[] = [];
  /** Headers that were shown. */
  readonly authorizations = new Set<string>();
  /** What must be shown; undefined: nothing. */
  required: string | undefined;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => this.#serve(request, response));
  }

  static async open(): Promise<GitServer> {
    const server = new GitServer();
    await new Promise<void>((done) => server.#server.listen(0, '127.0.0.1', () => done()));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The address of a repository. */
  url(name: string): string {
    return `http://127.0.0.1:${this.port}/${name}`;
  }

  /** Runs git in the work tree of a repository, made where it is missing. @returns what it printed */
  git(name: string, ...args: string[]): string {
    const folder = join(this.root, 'work', name);
    const env = {
      ...process.env,
      HOME: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@example.com',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@example.com',
    };
    const run = (...words: string[]): string =>
      execFileSync('git', ['-c', 'init.defaultBranch=main', '-c', 'protocol.file.allow=always', ...words], {
        cwd: folder,
        env,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    if (!existsSync(folder)) {
      mkdirSync(folder, { recursive: true });
      run('init', '--quiet');
    }
    return run(...args).trim();
  }

  /** Files and folders of the work tree. */
  write(name: string, files: Readonly<Record<string, string>>): void {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.root, 'work', name, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
  }

  /** Commits all of it and publishes it. @returns the commit */
  commit(name: string, files: Readonly<Record<string, string>> = {}): string {
    this.git(name, 'status');
    this.write(name, files);
    this.git(name, 'add', '-A');
    this.git(name, 'commit', '--quiet', '--allow-empty', '-m', 'more');
    this.publish(name);
    return this.git(name, 'rev-parse', 'HEAD');
  }

  /** What the work tree has is what the server gives. */
  publish(name: string): void {
    const bare = join(this.root, 'served', name);
    if (!existsSync(bare)) {
      mkdirSync(bare, { recursive: true });
      execFileSync('git', ['-c', 'init.defaultBranch=main', 'init', '--quiet', '--bare', bare]);
    }
    this.git(name, 'push', '--quiet', '--force', '--mirror', bare);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { url = '/', method = 'GET', headers } = request;
    this.requests.push(url);
    const { authorization } = headers;
    if (authorization !== undefined) this.authorizations.add(authorization);
    if (this.required !== undefined && authorization !== this.required) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end();
      return;
    }
    const [path = '', query = ''] = url.split('?');
    const child = spawn(backend!, [], {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: join(this.root, 'served'),
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: path,
        QUERY_STRING: query,
        REQUEST_METHOD: method,
        CONTENT_TYPE: headers['content-type'],
        CONTENT_LENGTH: headers['content-length'],
        HTTP_CONTENT_ENCODING: headers['content-encoding'],
        GIT_PROTOCOL: headers['git-protocol'] as string | undefined,
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    request.pipe(child.stdin);
    child.stdin.on('error', () => {});
    let head = Buffer.alloc(0);
    let isHead = true;
    child.stdout.on('data', (chunk: Buffer) => {
      if (!isHead) {
        response.write(chunk);
        return;
      }
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      isHead = false;
      const lines = head
        .subarray(0, end)
        .toString()
        .split('\r\n')
        .map((line) => line.split(': '));
      const status = lines.find(([key]) => key === 'Status')?.[1] ?? '200';
      response.writeHead(Number.parseInt(status, 10), Object.fromEntries(lines.filter(([key]) => key !== 'Status')));
      response.write(head.subarray(end + 4));
    });
    child.on('close', () => response.end());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((done) => this.#server.close(() => done()));
    rmSync(this.root, { recursive: true, force: true });
  }
}
