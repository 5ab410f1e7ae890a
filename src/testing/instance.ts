/** A container of a recipe: the template's, which is filled, or a fork. Created and held, not started. */
import type { Container, Engine, ImageInspect, RunOptions } from '../sdk/index.ts';
import { holdConfig, holdEntrypoint } from './hold.ts';
import type { Recipe } from './recipe.ts';
import { owned } from './sweep.ts';

export interface Instance {
  container: Container;
  /** Closes the connection that it lives by. */
  letGo: () => void;
}

/** @param options the image, and what differs between a template and a fork. @throws ApiFault 409 when its name is taken */
export async function createInstance(
  engine: Engine,
  recipe: Recipe,
  base: ImageInspect,
  options: Pick<RunOptions, 'image' | 'name' | 'remove' | 'files'>,
): Promise<Instance> {
  const isHeld = recipe.hold !== false;
  const line = commandLine(recipe, base);
  const [program = '', ...rest] = line;
  await using loans = new AsyncDisposableStack();
  const container = loans.use(
    await engine.containers.create({
      ...commonOptions(recipe, base),
      ...options,
      ...(isHeld
        ? { entrypoint: holdEntrypoint, command: line, config: holdConfig }
        : { entrypoint: [program], command: rest }),
    }),
  );
  const letGo = isHeld ? await hold(engine, container.id) : () => {};
  loans.move();
  return { container, letGo };
}

function commonOptions(recipe: Recipe, base: ImageInspect): Omit<RunOptions, 'image'> {
  const { env, user, workdir, ports = [], limits } = recipe;
  const volumes = recipe.emptyVolumes === true ? Object.keys(base.Config?.Volumes ?? {}) : [];
  return {
    ports,
    labels: owned(),
    pull: 'never',
    healthcheck: false,
    mounts: volumes.map((target) => ({ tmpfs: true, target })),
    ...(env === undefined ? {} : { env }),
    ...(user === undefined ? {} : { user }),
    ...(workdir === undefined ? {} : { workdir }),
    ...(limits === undefined ? {} : { limits }),
  };
}

/** What the image would run, in full: a committed one may have forgotten. */
function commandLine({ command, entrypoint }: Recipe, { Config }: ImageInspect): string[] {
  const given = typeof command === 'string' ? ['sh', '-c', command] : command;
  // As with Docker: who gives an entrypoint leaves the image's command behind.
  const usual = entrypoint === undefined ? (Config?.Cmd ?? []) : [];
  return [...(entrypoint ?? Config?.Entrypoint ?? []), ...(given ?? usual)];
}

/** The connection that it lives by. It does not keep this process alive. */
async function hold(engine: Engine, id: string): Promise<() => void> {
  const stream = await engine.api.containers.attach(id, { stream: true, stdin: true });
  stream.hold(false);
  return () => stream.destroy();
}
