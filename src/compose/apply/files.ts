/** Secrets and configs that are written into a container before it starts. */
import { readFile } from 'node:fs/promises';
import { filesOf, isWritten, type ServiceFile } from '../create/mounts.ts';
import { packTar } from '../../client/index.ts';
import { errorCode, Fault } from '../../std/index.ts';
import type { Project, Service } from '../project.ts';
import type { Context } from './context.ts';

const usualMode = 0o444;

/** @throws Fault invalid for a read-only container, and for a variable or file that is not there */
export async function writeFiles(context: Context, service: Service, id: string): Promise<void> {
  const files = filesOf(context.project, service).filter((file) => isWritten(file, service));
  const mtime = Math.trunc(Date.now() / 1000);
  for (const file of files) {
    const { uid, gid, mode } = file.reference;
    const content = await contentOf(context.project, file);
    if (content === undefined) continue;
    if (service.read_only === true)
      throw new Fault(
        'invalid',
        `cannot create ${file.kind} "${file.object.name}" in read-only service ${service.name}: \`file\` is the sole supported option`,
      );
    const owner = { uid: numberOf(uid, file, 'uid'), gid: numberOf(gid, file, 'gid') };
    const entry = {
      path: file.target.slice(1),
      type: 'file',
      mode: mode ?? usualMode,
      ...owner,
      mtime,
      body: content,
    } as const;
    // Owners are the archive's: `copyUIDGID` would give the file to the container's own user.
    await context.client.containers.putArchive(id, { path: '/' }, packTar([entry]));
  }
}

function numberOf(text: string | undefined, { kind, object }: ServiceFile, what: string): number {
  if (text === undefined || text === '') return 0;
  if (/^\d+$/.test(text)) return Number(text);
  throw new Fault('invalid', `${kind} "${object.name}": ${what} must be a number, not ${JSON.stringify(text)}`);
}

/** Undefined for one that is empty: nothing is written then. */
async function contentOf(project: Project, { object, kind }: ServiceFile): Promise<Buffer | undefined> {
  if (object.content !== undefined && object.content !== '') return Buffer.from(object.content);
  if (object.environment !== undefined) {
    const value = project.environment[object.environment];
    if (value === undefined)
      throw new Fault(
        'invalid',
        `environment variable "${object.environment}" required by ${kind} "${object.name}" is not set`,
      );
    return value === '' ? undefined : Buffer.from(value);
  }
  if (object.file === undefined) return undefined;
  try {
    return await readFile(object.file);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    throw new Fault('not-found', `${kind} file ${object.file} of "${object.name}" does not exist`, { cause: error });
  }
}
