/** What a build leaves for programs: `--iidfile`, `--metadata-file`, `--quiet`. */
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { BuildAnswer } from '../../buildkit/index.ts';
import { Fault, messageOf } from '../../std/index.ts';

/** The image's id; undefined when none was made. */
export function imageIdOf({ exported }: BuildAnswer): string | undefined {
  return exported.get('containerimage.config.digest') ?? exported.get('containerimage.digest');
}

/** What the files would be written to must be there before a long build. @throws Fault invalid */
export function checkResultFile(path: string): void {
  if (path === '') return;
  const folder = dirname(path);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new Fault('invalid', `invalid output path: ${path}: the directory ${folder} does not exist`);
  }
}

/** @throws Fault invalid */
export function writeResultFile(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.partial`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new Fault('invalid', `Cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** As buildx writes it: JSON, keys sorted; values that are JSON in base64 are unpacked. */
export function metadataText({ ref, exported, metadata }: BuildAnswer): string {
  const entries = [...exported, ...[...metadata].filter(([key]) => key.startsWith('result.'))].map(
    ([key, value]): [string, unknown] => [key, unpacked(value)],
  );
  entries.push(['buildx.build.ref', `default/default/${ref}`]);
  return JSON.stringify(Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))), undefined, 2);
}

function unpacked(value: string): unknown {
  const bytes = Buffer.from(value, 'base64');
  if (value === '' || bytes.toString('base64') !== value) return value;
  try {
    const parsed: unknown = JSON.parse(bytes.toString());
    return typeof parsed === 'object' && parsed !== null ? parsed : value;
  } catch {
    return value;
  }
}
