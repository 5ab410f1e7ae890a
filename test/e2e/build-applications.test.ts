/** Dockerfiles as applications have them: TOSIOS' own, on a base that cannot be had and on Node 20, its packages from the registry that this machine is set up for. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { put } from '../support/build-clients.ts';
import { repository, sharedDaemon } from '../support/daemon.ts';
import type { Outcome } from '../support/docker.ts';
import { debianFilesystem } from '../support/images.ts';

const host = await sharedDaemon({ expectedErrors: [/request failed/] });
const { scenario } = host;

/** The host's own Node, which is not the one that the tests run on. */
function hostNode(): { program: string; npm: string } | string {
  const path = '/usr/local/bin:/usr/bin:/bin';
  try {
    const program = realpathSync(
      execFileSync('sh', ['-c', 'command -v node'], { encoding: 'utf8', env: { PATH: path } }).trim(),
    );
    const version = execFileSync(program, ['--version'], { encoding: 'utf8' }).trim();
    if (!version.startsWith('v20.')) return `the host's Node is ${version}, not 20`;
    const npm = execFileSync('npm', ['root', '-g'], { encoding: 'utf8', env: { PATH: path, HOME: homedir() } }).trim();
    const folder = join(npm, 'npm');
    return existsSync(join(folder, 'bin/npm-cli.js')) ? { program, npm: folder } : 'the host has no npm';
  } catch (error) {
    return `the host has no Node 20: ${(error as Error).message.split('\n')[0]}`;
  }
}

/** What makes npm find its registry here, for a secret of the build: nothing of it is in a layer. */
function npmSettings(): string {
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const own = join(homedir(), '.npmrc');
  return `${existsSync(own) ? readFileSync(own, 'utf8') : ''}\nregistry=${registry}\n`;
}

/** Of the machine: its registry may be known by a certificate of its own. */
const certificates = '/etc/ssl/certs/ca-certificates.crt';

/** As upstream's: six COPYs, packages, a build in production mode. `yarn` is npm here. */
const dockerfile = (base: string): string => `FROM ${base}
WORKDIR /usr/src/app
ARG NODE_ENV=development
ENV NODE_ENV=\${NODE_ENV}

# Dependencies first, so that a change of the sources does not install them again.
COPY package.json ./
COPY packages/client/package.json packages/client/
COPY packages/common/package.json packages/common/
COPY packages/server/package.json packages/server/
COPY tsconfig.json scripts* ./
COPY .npmignore* ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca,target=${certificates} \\
  --mount=type=cache,target=/root/.npm npm install --no-audit --no-fund --loglevel=error

COPY . .
RUN BUILD_MODE=production npm run build
EXPOSE 3001
CMD ["node", "packages/server/dist/index.js"]
`;

const files = {
  'package.json': JSON.stringify({
    name: 'game',
    private: true,
    workspaces: ['packages/*'],
    scripts: { build: 'node build.mjs' },
    dependencies: { 'is-number': '7.0.0' },
  }),
  'packages/client/package.json': '{"name":"@game/client","version":"1.0.0"}',
  'packages/common/package.json': '{"name":"@game/common","version":"1.0.0"}',
  'packages/server/package.json': '{"name":"@game/server","version":"1.0.0"}',
  'tsconfig.json': '{}',
  'build.mjs': `import { mkdirSync, writeFileSync } from 'node:fs';
import isNumber from 'is-number';
if (process.env.BUILD_MODE !== 'production' || !isNumber('3001')) throw new Error('not as it should be');
mkdirSync('packages/server/dist', { recursive: true });
writeFileSync('packages/server/dist/index.js', 'console.log("listening on 3001, Node " + process.versions.node)');
console.log('built for production');
`,
  '.dockerignore': 'node_modules\n**/dist\n',
};

const wherry = host.daemon.cli(join(repository, 'bin/wherry'));
const context = join(host.daemon.root, 'game');
mkdirSync(context);
put(context, files);

function build(args: readonly string[]): Promise<Outcome> {
  return wherry.run(['build', '--progress', 'plain', ...args, context], { timeoutMs: 240_000 });
}

scenario('on a base that cannot be had the message says which, where, and why', async () => {
  writeFileSync(join(context, 'Dockerfile'), dockerfile('node:14.18.2-alpine'));
  const { code, stderr } = await build([]);
  assert.equal(code, 1);
  assert.match(stderr, /^Dockerfile:1\n-+\n +1 \| >>> FROM node:14\.18\.2-alpine\n/m);
  assert.match(
    stderr,
    /^ERROR: failed to build: failed to solve: node:14\.18\.2-alpine: failed to resolve source metadata for docker\.io\/library\/node:14\.18\.2-alpine: .+/m,
  );
  assert.doesNotMatch(await host.docker.ok('images', '-a', '--format', '{{.Repository}}'), /<none>/);
});

scenario('it builds on Node 20, and a second build is from the cache', async (t) => {
  const node = hostNode();
  if (typeof node === 'string') {
    t.skip(node);
    return;
  }
  let root: string;
  try {
    root = await debianFilesystem();
  } catch (error) {
    t.skip(`no Debian root: ${(error as Error).message}`);
    return;
  }
  await host.docker.ok('import', root, 'debian-root');
  const parts = join(host.daemon.root, 'node-parts');
  mkdirSync(parts);
  cpSync(node.program, join(parts, 'node'));
  cpSync(node.npm, join(parts, 'npm'), { recursive: true, dereference: true });
  const base = join(host.daemon.root, 'node-base');
  mkdirSync(base);
  writeFileSync(
    join(base, 'Dockerfile'),
    `FROM debian-root
COPY --from=parts node /usr/local/bin/node
COPY --from=parts npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && node --version && npm --version
ENV PATH=/usr/local/bin:/usr/bin:/bin
`,
  );
  await wherry.ok('build', '-q', '-t', 'node:20', '--build-context', `parts=${parts}`, base);
  const secret = join(host.daemon.root, 'npmrc');
  writeFileSync(secret, npmSettings(), { mode: 0o600 });
  writeFileSync(join(context, 'Dockerfile'), dockerfile('node:20'));
  const secrets = [`id=npmrc,src=${secret}`, ...(existsSync(certificates) ? [`id=ca,src=${certificates}`] : [])];
  const args = ['-t', 'game', '--build-arg', 'NODE_ENV=production', ...secrets.flatMap((each) => ['--secret', each])];
  const first = await build(args);
  if (/ERESOLVE|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|E403/.test(first.stderr) && first.code !== 0) {
    t.skip('the npm registry of this machine does not answer from a container');
    return;
  }
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stderr, /built for production/);
  assert.match(await host.docker.ok('run', '--rm', 'game'), /^listening on 3001, Node 20\./);
  const second = await build(args);
  assert.match(second.stderr, /RUN BUILD_MODE=production npm run build\n#\d+ CACHED/);
  const kept = await host.docker.ok('history', '--no-trunc', 'game');
  assert.doesNotMatch(kept, /registry=/);
  await assert.rejects(host.docker.ok('run', '--rm', 'game', 'cat', '/root/.npmrc'), /No such file/);
});

scenario('a step that fails shows its output, its line, its exit code and what to type', async (t) => {
  if ((await host.docker.run(['image', 'inspect', 'game'])).code !== 0) {
    t.skip('the image it stands on was not built');
    return;
  }
  writeFileSync(join(context, 'broken'), 'FROM game\nRUN node -e "console.log(\'so far\'); process.exit(3)"\n');
  const { code, stderr } = await build(['-f', join(context, 'broken')]);
  assert.equal(code, 1);
  assert.match(stderr, /^#\d+ [\d.]+ so far$/m);
  assert.match(stderr, /broken:2\n-+\n +1 \| +FROM game\n +2 \| >>> RUN node/);
  assert.match(stderr, /did not complete successfully: exit code: 3/);
  assert.match(stderr, /wherry debug/);
});
