/** Creates a container from flags: pulls its image when it is missing, writes the id file, says the daemon's warnings. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import type { ContainerCreateBody } from '../../api/index.ts';
import { ApiFault } from '../../client/index.ts';
import { Fault } from '../../std/index.ts';
import type { Flags } from '../flag/parse.ts';
import { proxyEnvironment } from '../context/proxy.ts';
import type { Session } from '../session.ts';
import { containerBody } from './body.ts';

export interface CreatedContainer {
  id: string;
  body: ContainerCreateBody;
}

export async function bodyFromFlags(
  session: Session,
  flags: Flags,
  args: readonly string[],
): Promise<ContainerCreateBody> {
  const pull = flags.string('pull');
  if (!['always', 'missing', 'never', ''].includes(pull)) {
    throw new Fault('invalid', `invalid pull option: '${pull}': must be one of "always", "missing" or "never"`);
  }
  const { endpoint } = await session.endpoint();
  return containerBody(flags, args, {
    env: session.env,
    proxyEnvironment: proxyEnvironment(session.config().data, endpoint.url, flags.list('env')),
    cwd: process.cwd(),
  });
}

export async function createContainer(
  session: Session,
  flags: Flags,
  body: ContainerCreateBody,
): Promise<CreatedContainer> {
  const pull = flags.string('pull');
  const idFile = flags.string('cidfile');
  if (idFile !== '' && existsSync(idFile)) {
    throw new Fault(
      'conflict',
      `container ID file found, make sure the other container isn't running or delete ${idFile}`,
    );
  }
  if (idFile !== '') writeFileSync(idFile, '');
  try {
    const client = await session.client();
    // Since 1.44 the address is the endpoint's.
    if (body.MacAddress !== undefined && (await client.apiVersion()) >= 44) delete body.MacAddress;
    const platform = flags.string('platform');
    const query = { name: flags.string('name'), platform };
    const wanted = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ''));
    const get = async (): Promise<void> => {
      const { pullImage } = await import('../registry/pull.ts');
      const otherwise = "leave out '--pull always' to use it";
      const quiet = flags.bool('quiet');
      const bootstrap = flags.bool('bootstrap');
      await pullImage(session, body.Image ?? '', { platform, quiet, bootstrap, out: session.err, otherwise });
    };
    if (pull === 'always') await get();
    const create = () => client.containers.create(body, wanted);
    let created: Awaited<ReturnType<typeof create>>;
    try {
      created = await create();
    } catch (error) {
      const missing = error instanceof ApiFault && error.status === 404 && /no such image/i.test(error.message);
      if (!missing || pull === 'never' || pull === 'always') throw error;
      if (!flags.bool('quiet')) {
        const { withTag } = await import('../../context/index.ts');
        session.err.write(`Unable to find image '${withTag(body.Image ?? '')}' locally\n`);
      }
      await get();
      created = await create();
    }
    for (const warning of created.Warnings ?? []) session.err.write(`WARNING: ${warning}\n`);
    if (idFile !== '') writeFileSync(idFile, created.Id);
    return { id: created.Id, body };
  } catch (error) {
    if (idFile !== '') rmSync(idFile, { force: true });
    throw error;
  }
}
