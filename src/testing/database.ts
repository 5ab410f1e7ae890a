/** A database with data, for each test its own: filled once on a machine, forked in the time that a container takes to start. */
import { ApiFault, connect, type Container, type Engine, type PublishedAddress } from '../sdk/index.ts';
import { createInstance } from './instance.ts';
import { type Recipe, templateName } from './recipe.ts';
import { forgetTemplates, prepareTemplate, type Template } from './template.ts';

export interface DatabaseOptions {
  /** One that is connected already. Without it: the one that `connect()` finds. */
  engine?: Engine;
}

export interface ForkOptions {
  signal?: AbortSignal;
}

/** A container with a copy of the data. It goes when it is disposed of, and when this process ends, however it ends. */
export class Fork implements AsyncDisposable {
  readonly container: Container;
  readonly #let: () => void;

  constructor(container: Container, letGo: () => void) {
    this.container = container;
    this.#let = letGo;
  }

  /** Where a port of it is reached. */
  port(port: number): PublishedAddress {
    return this.container.port(port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.container[Symbol.asyncDispose]();
    this.#let();
  }
}

export class Database<Made = Fork> {
  readonly #recipe: Recipe;
  readonly #made: (fork: Fork) => Made;
  #engine: Promise<Engine> | undefined;
  #template: Promise<Template> | undefined;

  /** @param made what `fork` gives: presets add what is known of their database */
  constructor(recipe: Recipe, { engine }: DatabaseOptions, made: (fork: Fork) => Made) {
    this.#recipe = recipe;
    this.#made = made;
    this.#engine = engine === undefined ? undefined : Promise.resolve(engine);
  }

  /** Fills it now rather than at the first fork. @returns the name of the image that forks are made of */
  async prepare({ signal }: ForkOptions = {}): Promise<string> {
    return (await this.#prepared(signal)).image;
  }

  async fork({ signal }: ForkOptions = {}): Promise<Made> {
    const engine = await this.#connected();
    const template = await this.#prepared(signal);
    try {
      return this.#made(await forkOf(engine, this.#recipe, template, signal));
    } catch (error) {
      if (!(error instanceof ApiFault) || error.status !== 404 || (await engine.images.has(template.image)))
        throw error;
      // Somebody removed the template meanwhile.
      this.#template = undefined;
      return this.#made(await forkOf(engine, this.#recipe, await this.#prepared(signal), signal));
    }
  }

  /** Removes its templates, those of former recipes of its name too. */
  async forget(): Promise<void> {
    this.#template = undefined;
    await forgetTemplates(await this.#connected(), templateName(this.#recipe));
  }

  #connected(): Promise<Engine> {
    return (this.#engine ??= connect());
  }

  #prepared(signal: AbortSignal | undefined): Promise<Template> {
    if (this.#template === undefined) {
      const template = this.#connected().then((engine) => prepareTemplate(engine, this.#recipe, signal));
      this.#template = template;
      template.catch(() => {
        if (this.#template === template) this.#template = undefined;
      });
    }
    return this.#template;
  }
}

export function database(recipe: Recipe, options: DatabaseOptions = {}): Database {
  return new Database(recipe, options, (fork) => fork);
}

async function forkOf(engine: Engine, recipe: Recipe, { image, base }: Template, signal?: AbortSignal): Promise<Fork> {
  await using loans = new AsyncDisposableStack();
  const { container, letGo } = await createInstance(engine, recipe, base, { image, remove: true });
  const fork = loans.use(new Fork(container, letGo));
  await container.start();
  if (recipe.ready !== undefined)
    await container.waitUntil(signal === undefined ? recipe.ready : { ...recipe.ready, signal });
  loans.move();
  return fork;
}
