/** Compose: ours on Wherry, docker compose 2 on dockerd (and on Wherry, to tell what is the client's and what the engine's). */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execute } from '../test/support/docker.ts';
import { packages } from '../test/support/peers.ts';
import type { Engine } from './engines.ts';
import { time } from './measure.ts';
import type { Column, Limit, Report } from './report.ts';

const own = [join(resolve(import.meta.dirname, '..'), 'bin/wherry'), 'compose'];

interface Way {
  name: string;
  words: readonly string[];
  env: NodeJS.ProcessEnv;
  folder: string;
}

export async function benchCompose(report: Report, engines: readonly Engine[], rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-bench-compose-'));
  try {
    const docker = [join(await packages('newer'), 'usr/libexec/docker/cli-plugins/docker-compose')];
    await config(report, folder, docker, rounds);
    const ways = engines.flatMap(({ name, env, pid }): Way[] => {
      const at = (way: string): string => join(folder, way);
      if (pid === 0) return [];
      if (name !== 'wherry') return [{ name, words: docker, env, folder: at('reference') }];
      return [
        { name, words: own, env, folder: at('own') },
        { name: 'docker compose on wherry', words: docker, env, folder: at('mixed') },
      ];
    });
    await projects(report, ways, rounds);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function config(report: Report, root: string, docker: readonly string[], rounds: number): Promise<void> {
  const folder = join(root, 'sixty');
  mkdirSync(folder);
  writeFileSync(join(folder, 'compose.yaml'), sixtyServices());
  const column = (words: readonly string[]): Column => ({
    run: () => time([...words, '--project-directory', folder, '-f', join(folder, 'compose.yaml'), 'config'], {}),
  });
  await report.compare(
    'compose config of 60 services, a cold process',
    { wherry: column(own), 'docker compose': column(docker) },
    [{ of: 'wherry', by: 'docker compose', atMost: 0.3 }],
    { rounds },
  );
}

async function projects(report: Report, ways: readonly Way[], rounds: number): Promise<void> {
  for (const { folder } of ways) {
    mkdirSync(folder);
    writeFileSync(join(folder, 'compose.yaml'), tenServices);
  }
  const run = (way: Way, ...args: string[]): Promise<number> =>
    time([...way.words, '--project-directory', way.folder, '-f', join(way.folder, 'compose.yaml'), ...args], way.env);
  const row = (what: string, atMost: number, column: (way: Way) => Column): Promise<void> => {
    const limits: Limit[] = [{ of: 'wherry', by: 'dockerd', atMost }];
    return report.compare(what, Object.fromEntries(ways.map((way) => [way.name, column(way)])), limits, {
      rounds,
      warmUps: 1,
    });
  };
  const down = async (way: Way): Promise<void> => void (await run(way, 'down', '-t', '0', '-v'));
  const up = (way: Way): Promise<number> => run(way, 'up', '-d', '--wait');
  await row('up -d --wait of 10 services, images here', 0.35, (way) => ({
    prepare: () => down(way),
    run: () => up(way),
  }));
  await row('up -d of the same, nothing changed', 0.3, (way) => ({ run: () => run(way, 'up', '-d') }));
  await row('down of the same', 0.35, (way) => ({
    prepare: async () => void (await up(way)),
    run: () => run(way, 'down', '-t', '0'),
  }));
  for (const way of ways) {
    await down(way);
    await execute(way.words[0]!, ['volume', 'prune', '-f'], { env: way.env });
  }
}

const service = (name: string, more: string): string => `  ${name}:
    image: busybox
    init: true
    command: sh -c 'touch /tmp/up; exec sleep 10000'
${more}`;

const healthy = `    healthcheck: { test: test -f /tmp/up, interval: 1s, start_period: 10s, start_interval: 100ms }
`;

/** As applications are: a database and a cache that are waited for, servers on them, workers, a front. */
const tenServices = `services:
${service('db', `${healthy}    volumes: [data:/data]\n`)}${service('cache', healthy)}${[1, 2, 3]
  .map((each) =>
    service(
      `api${each}`,
      `    depends_on: { db: { condition: service_healthy }, cache: { condition: service_healthy } }
    environment: { NUMBER: "${each}" }
    networks: [default, back]
`,
    ),
  )
  .join(
    '',
  )}${[1, 2, 3, 4].map((each) => service(`worker${each}`, '    depends_on: [api1]\n')).join('')}${service('front', '    depends_on: [api1, api2, api3]\n    ports: ["127.0.0.1::80"]\n')}networks:
  back: {}
volumes:
  data: {}
`;

/** A large stack, with what such files repeat. */
function sixtyServices(): string {
  const services = Array.from(
    { length: 60 },
    (_, index) => `  service${index}:
    <<: *common
    image: \${REGISTRY:-registry.example}/app/service${index}:\${TAG:-latest}
    command: ["serve", "--port", "80${index}"]
    environment:
      DATABASE_URL: postgres://\${DB_USER:-app}:\${DB_PASSWORD:-secret}@db:5432/app${index}
      LOG_LEVEL: \${LOG_LEVEL:-info}
      NAME: service${index}
    ports: ["127.0.0.1:9${String(index).padStart(3, '0')}:80"]
    volumes:
      - data${index}:/var/lib/app
      - ./config/service${index}.toml:/etc/app.toml:ro
    labels:
      - traefik.enable=true
      - traefik.http.routers.service${index}.rule=Host(\`service${index}.example\`)
    healthcheck:
      test: curl -f http://localhost/health || exit 1
      interval: 30s
      timeout: 5s
    networks: [front, back]
${index > 0 ? `    depends_on:\n      service${index - 1}: { condition: service_healthy }\n` : ''}`,
  );
  const volumes = services.map((_, index) => `  data${index}: {}\n`).join('');
  return `x-common: &common
  restart: unless-stopped
  logging: { driver: json-file, options: { max-size: 10m } }
  deploy: { resources: { limits: { memory: 512M } } }
services:
${services.join('')}networks: { front: {}, back: { internal: true } }
volumes:
${volumes}`;
}
