/** From options to a container that runs. Whatever fails on the way, nothing of it stays. */
import { ApiFault } from '../client/index.ts';
import { Container, exitOf, Removal } from './container.ts';
import type { Daemon } from './daemon.ts';
import { writeFiles } from './files.ts';
import { ifThere } from './if-there.ts';
import type { Images } from './images.ts';
import { type RunBody, runBody } from './run-body.ts';
import type { RunOptions } from './run-options.ts';

export async function runContainer(daemon: Daemon, images: Images, options: RunOptions): Promise<Container> {
  await using loans = new AsyncDisposableStack();
  const created = loans.use(await createContainer(daemon, images, options));
  const { id } = created;
  options.signal?.throwIfAborted();
  const removal = options.remove === true ? await watchRemoval(daemon, id) : undefined;
  await daemon.client.containers.start(id);
  const info = await ifThere(daemon.client.containers.inspect(id));
  // One that is removed when it ends may be gone already: then it is as it was created.
  const container = new Container(daemon, info ?? created.info, removal);
  if (options.until !== undefined) {
    const { signal = options.signal } = options.until;
    await container.waitUntil(signal === undefined ? options.until : { ...options.until, signal });
  }
  options.signal?.throwIfAborted();
  loans.move();
  return container;
}

export async function createContainer(daemon: Daemon, images: Images, options: RunOptions): Promise<Container> {
  const { client, isLocal } = daemon;
  const { signal } = options;
  const { body, networks } = runBody(options, isLocal);
  signal?.throwIfAborted();
  if (options.pull === 'always') await pullFor(images, options);
  const id = await create(daemon, images, options, body);
  await using loans = new AsyncDisposableStack();
  loans.defer(() => ifThere(client.containers.remove(id, { force: true, v: true })));
  for (const { name, config } of networks) await client.networks.connect(name, id, config);
  if (Object.keys(options.files ?? {}).length > 0) await writeFiles(client, id, options.files!);
  const container = new Container(daemon, await client.containers.inspect(id));
  signal?.throwIfAborted();
  loans.move();
  return container;
}

async function create({ client }: Daemon, images: Images, options: RunOptions, body: RunBody['body']): Promise<string> {
  const { name, platform } = options;
  const query = { ...(name === undefined ? {} : { name }), ...(platform === undefined ? {} : { platform }) };
  try {
    return (await client.containers.create(body, query)).Id;
  } catch (error) {
    const isMissing = error instanceof ApiFault && error.status === 404 && /no such image/i.test(error.message);
    if (!isMissing || options.pull === 'never') throw error;
    await pullFor(images, options);
    return (await client.containers.create(body, query)).Id;
  }
}

async function pullFor(images: Images, { image, platform, auth, signal, onPull }: RunOptions): Promise<void> {
  const work = images.pull(image, {
    ...(platform === undefined ? {} : { platform }),
    ...(auth === undefined ? {} : { auth }),
    ...(signal === undefined ? {} : { signal }),
  });
  for await (const step of work) onPull?.(step);
}

/** Asked before the start: the end of what ends at once would be missed. */
async function watchRemoval({ client }: Daemon, id: string): Promise<Removal> {
  const cancel = new AbortController();
  const { result, hold } = await client.containers.wait(id, 'removed', cancel.signal);
  return new Removal(result.then(exitOf), hold, () => cancel.abort());
}
