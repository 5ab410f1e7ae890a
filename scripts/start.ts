/**
 * `npm start`: the engine comes up, base images come from their registry or from this machine's own package sources, PKC is built and
 * brought up, and the screen says where it is and what to type next. Done twice, the second time changes nothing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, parseEnv } from 'node:util';
import { fail, get, getJson, root, say, shown, socket, startEngine, step, wherry } from './engine.ts';
import { holderOf, isFree, nextFree } from './ports.ts';

const stack = join(root, 'stacks/pkc');
const project = 'pkc';
/** What PKC's Dockerfiles and its compose file stand on. */
const bases = ['debian:bookworm-slim', 'node:24-slim', 'postgres:15'];
const ollamaImage = 'ollama/ollama:latest';

const help = `Usage: npm start -- [--port [PORT]] [--ai]

  --port          publish PKC on the next free port from 3000 on
  --port PORT     publish it on this one (also PKC_PORT=PORT, or in stacks/pkc/.env)
  --ai            get Ollama, too, for answers in prose (some gigabytes)`;

interface Options {
  /** Undefined: the usual one. */
  port: number | 'next' | undefined;
  ai: boolean;
}

function options(args: readonly string[]): Options {
  // `--port` alone is a question, not a value.
  const bare = args.findIndex((arg, index) => arg === '--port' && !/^\d+$/.test(args[index + 1] ?? ''));
  const rest = bare < 0 ? args : args.toSpliced(bare, 1);
  let values: { port?: string; ai?: boolean; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...rest],
      options: { port: { type: 'string' }, ai: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    }));
  } catch (error) {
    fail(`${(error as Error).message}\n\n${help}`);
  }
  if (values.help === true) {
    say(help);
    process.exit(0);
  }
  const text = values.port ?? process.env['PKC_PORT'] ?? settings()['PKC_PORT'];
  if (bare >= 0 || text === 'next') return { port: 'next', ai: values.ai === true };
  if (text === undefined || text === '') return { port: undefined, ai: values.ai === true };
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) fail(`--port ${text}: a port is a number from 1 to 65535`);
  return { port, ai: values.ai === true };
}

function settings(): NodeJS.Dict<string> {
  const file = join(stack, '.env');
  return existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
}

interface Running {
  Names: string[];
  State: string;
  Labels: Record<string, string>;
  Ports: { PrivatePort: number; PublicPort?: number; IP?: string }[];
}

async function running(): Promise<Map<string, Running>> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`com.docker.compose.project=${project}`] }));
  const all = (await getJson<Running[]>(`/containers/json?filters=${filters}`)) ?? [];
  return new Map(all.map((each) => [each.Labels['com.docker.compose.service'] ?? '', each]));
}

/** The port that a service is published on already, else the one that was asked for. */
async function portFor(
  service: string,
  { usual, wanted, address, option }: { usual: number; wanted: Options['port']; address: string; option: string },
): Promise<number> {
  const own = (await running()).get(service)?.Ports.find(({ PublicPort }) => PublicPort !== undefined)?.PublicPort;
  if (own !== undefined && (wanted === undefined || wanted === 'next' || wanted === own)) return own;
  if (wanted === 'next') return nextFree(usual, address);
  const port = wanted ?? usual;
  if (await isFree(port, address)) return port;
  const holder = (await holderOf(port)) ?? 'another program';
  const next = await nextFree(port + 1, address);
  return fail(`port ${port} is taken by ${holder}. Take the next free one: ${option.replace('PORT', String(next))}`);
}

async function baseImages(): Promise<void> {
  for (const name of bases) {
    if ((await get(`/images/${name}/json`)).status === 200) continue;
    step(`getting ${name}`);
    if ((await wherry(['pull', '--bootstrap', name])) !== 0) fail(`${name} could not be had; what is above says why`);
  }
}

/** Where answers in prose come from: a container of ours, an Ollama of this machine, or nowhere. */
async function ai(isAsked: boolean): Promise<{ choices: string[]; env: NodeJS.ProcessEnv; told: string }> {
  const ownUrl = process.env['OLLAMA_URL'] ?? settings()['OLLAMA_URL'];
  if (ownUrl !== undefined && ownUrl !== '') return { choices: [], env: {}, told: `Ollama at ${ownUrl}` };
  if (
    isAsked &&
    (await get(`/images/${ollamaImage}/json`)).status !== 200 &&
    (await wherry(['pull', ollamaImage])) !== 0
  )
    fail(`${ollamaImage} could not be had; what is above says why. Without --ai, PKC runs without it`);
  if ((await get(`/images/${ollamaImage}/json`)).status === 200) {
    const gpu = await hasGpu();
    return {
      choices: [...(gpu ? ['-f', join(stack, 'compose.gpu.yaml')] : []), '--profile', 'ai'],
      env: {},
      told: `Ollama, in a container${gpu ? ', on the GPU' : ''}`,
    };
  }
  // Reached from containers it must listen on more than loopback.
  const gateway = await bridgeAddress();
  if (gateway !== undefined && (await answers(`http://${gateway}:11434/api/version`)))
    return {
      choices: [],
      env: { OLLAMA_URL: 'http://host.docker.internal:11434' },
      told: 'the Ollama of this machine',
    };
  const isHere = await answers('http://127.0.0.1:11434/api/version');
  const why = isHere
    ? 'none: the Ollama of this machine listens on 127.0.0.1 only (start it with OLLAMA_HOST=0.0.0.0)'
    : 'none (npm start -- --ai gets one; everything else works without)';
  return { choices: [], env: {}, told: why };
}

/** Ollama's usual image is built for NVIDIA's. */
async function hasGpu(): Promise<boolean> {
  const info = await getJson<{ DiscoveredDevices?: { ID: string }[] }>('/info');
  return info?.DiscoveredDevices?.some(({ ID }) => ID.startsWith('nvidia.com/gpu=')) === true;
}

async function bridgeAddress(): Promise<string | undefined> {
  const bridge = await getJson<{ IPAM?: { Config?: { Gateway?: string }[] } }>('/networks/bridge');
  return bridge?.IPAM?.Config?.[0]?.Gateway;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1500) })).ok;
  } catch {
    return false;
  }
}

/** What npm on this machine is told of its registry, for the builds. */
function npmSettings(): NodeJS.ProcessEnv {
  const npmrc = [process.env['NPM_CONFIG_USERCONFIG'], join(homedir(), '.npmrc')].find(
    (path) => path !== undefined && existsSync(path),
  );
  const ca = process.env['NODE_EXTRA_CA_CERTS'];
  return {
    ...(npmrc === undefined ? {} : { NPMRC_FILE: npmrc }),
    ...(ca === undefined || !existsSync(ca) ? {} : { NPM_CA_FILE: ca }),
  };
}

const asked = options(process.argv.slice(2));
await startEngine();
const before = await running();
const bind = process.env['PKC_BIND'] ?? settings()['PKC_BIND'] ?? '0.0.0.0';
const port = await portFor('frontend', {
  usual: 3000,
  wanted: asked.port,
  address: bind,
  option: 'npm start -- --port PORT',
});
const backendSetting = Number(process.env['PKC_BACKEND_PORT'] ?? settings()['PKC_BACKEND_PORT'] ?? Number.NaN);
const backendPort = await portFor('backend', {
  usual: 8000,
  wanted: Number.isInteger(backendSetting) ? backendSetting : asked.port === undefined ? undefined : 'next',
  address: '127.0.0.1',
  option: 'PKC_BACKEND_PORT=PORT npm start',
});
await baseImages();
const prose = await ai(asked.ai);
const env = { ...npmSettings(), ...prose.env, PKC_PORT: String(port), PKC_BACKEND_PORT: String(backendPort) };
const wasUp = ['frontend', 'backend', 'database'].every((service) => before.get(service)?.State === 'running');
step(wasUp ? 'PKC is up already; looking whether anything changed' : 'building PKC and bringing it up');
const started = performance.now();
const compose = ['compose', '-f', join(stack, 'compose.yaml'), ...prose.choices];
const code = await wherry([...compose, 'up', '--build', '--detach', '--wait', '--remove-orphans'], env);
if (code !== 0) {
  say(`\nWhat it says of itself:  ${shown} compose -p ${project} logs`);
  process.exit(code);
}
step(`PKC is up (${((performance.now() - started) / 1000).toFixed(1)} s)`);
const host = socket === '/run/wherry/wherry.sock' ? '' : `WHERRY_HOST=unix://${socket} `;
say(`
  Open it             http://localhost:${port}/${bind === '0.0.0.0' ? '   (and from other machines of your network)' : ''}
  For PKC clients     http://127.0.0.1:${backendPort}/v1
  Answers in prose    ${prose.told}
`);
await wherry(['compose', '-p', project, 'ps', '--format', 'table {{.Service}}\t{{.Status}}\t{{.Ports}}']);
say(`
What to type next:
  ${host}${shown} compose -p ${project} logs -f    what it says
  npm stop                              take it down; what you wrote stays
  ${host}${shown} volume ls                  where what you wrote is: pkc_database, pkc_pkc_documents`);
