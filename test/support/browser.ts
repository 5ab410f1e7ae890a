/** Debian's Chromium in a container of the daemon under test, driven by playwright-core over its debugging protocol. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import type { Daemon } from './daemon.ts';
import { until } from './docker.ts';
import type { Docker } from './docker.ts';

export function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer();
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => done(port));
    });
  });
}

/** The image needs Debian's packages. Its sandbox needs a user namespace, which a container has not: the container is the sandbox. */
export async function openBrowser(daemon: Daemon, wherry: Docker, base: string): Promise<Browser & AsyncDisposable> {
  const folder = join(daemon.root, 'chromium');
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'Dockerfile'),
    `FROM ${base}
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "about:blank"]
`,
  );
  const built = await wherry.run(['build', '-q', '-t', 'chromium', folder], { timeoutMs: 180_000 });
  if (built.code !== 0) throw new Error(built.stderr);
  const port = await freePort();
  await wherry.ok(
    'run',
    '-d',
    '--rm',
    '--init',
    '--name',
    'chromium',
    '--network',
    'host',
    'chromium',
    `--remote-debugging-port=${port}`,
  );
  const address = `http://127.0.0.1:${port}`;
  await until(
    () =>
      fetch(`${address}/json/version`).then(
        (answer) => answer.ok,
        () => false,
      ),
    { what: 'Chromium', timeoutMs: 30_000 },
  );
  const browser = await chromium.connectOverCDP(address);
  return Object.assign(browser, {
    [Symbol.asyncDispose]: async () => {
      await browser.close();
      await wherry.run(['rm', '-f', 'chromium']);
    },
  });
}
