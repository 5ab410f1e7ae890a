/** An apt configuration of its own for Debian's unstable suite, made from the host's: lists and archives in the cache folder, nothing of the system changed. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execute } from './docker.ts';
import { cacheFolder } from './images.ts';

const suite = 'sid';
const listAgeMs = 24 * 3600 * 1000;

/** The environment in which apt-get sees that suite. @throws Error with the reason */
export async function newerDebian(): Promise<{ env: Record<string, string> }> {
  const root = join(cacheFolder(), `apt-${suite}`);
  for (const name of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(root, name), { recursive: true });
  const config = join(root, 'apt.conf');
  writeFileSync(join(root, 'suite.sources'), source());
  writeFileSync(
    config,
    [
      `Dir::Etc::SourceList "${join(root, 'suite.sources')}";`,
      'Dir::Etc::SourceParts "/dev/null";',
      `Dir::State::Lists "${join(root, 'lists')}";`,
      `Dir::Cache "${join(root, 'cache')}";`,
      'APT::Sandbox::User "root";',
      '',
    ].join('\n'),
  );
  const env = { APT_CONFIG: config };
  const stamp = join(root, 'updated');
  if (!existsSync(stamp) || Date.now() - statSync(stamp).mtimeMs > listAgeMs) {
    const updated = await execute('apt-get', ['-q', 'update'], { env, timeoutMs: 120_000 });
    if (updated.code !== 0)
      throw new Error(`apt-get update for ${suite} failed: ${updated.stderr.trim().split('\n').slice(-2).join(' / ')}`);
    writeFileSync(stamp, '');
  }
  return { env };
}

/** The host's own source of Debian (deb822 or one line), with another suite. */
function source(): string {
  const folder = '/etc/apt/sources.list.d';
  const files = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  for (const file of files.filter((name) => name.endsWith('.sources'))) {
    const stanza = readFileSync(file, 'utf8')
      .split(/\n{2,}/)
      .find((each) => /^Types:.*\bdeb\b/m.test(each) && /^URIs:.*\/debian\/?$/m.test(each));
    if (stanza !== undefined) return `${stanza.replace(/^Suites:.*$/m, `Suites: ${suite}`)}\n`;
  }
  const lists = ['/etc/apt/sources.list', ...files.filter((name) => name.endsWith('.list'))];
  for (const file of lists.filter((name) => existsSync(name))) {
    const line = /^deb( \[[^\]]*\])? (\S+\/debian\/?) \S+ (.*)$/m.exec(readFileSync(file, 'utf8'));
    if (line !== null) {
      const signed = /signed-by=(\S+?)[\] ]/.exec(line[1] ?? '')?.[1];
      return `Types: deb\nURIs: ${line[2]}\nSuites: ${suite}\nComponents: main\n${signed === undefined ? '' : `Signed-By: ${signed}\n`}`;
    }
  }
  throw new Error('no source of Debian packages in /etc/apt');
}
