/** A model to a project: every attribute of its type. */
import type { FileObject, Model, Network, Project, Service, Volume } from '../project.ts';
import { type Fields, readFields } from '../shape/kinds.ts';
import { fileObjectFields, modelFields, networkFields, serviceFields, volumeFields } from '../shape/shapes.ts';
import { isMap, mapOf, type Tree, type TreeMap } from '../tree.ts';

export type ProjectParts = Pick<
  Project,
  'services' | 'networks' | 'volumes' | 'secrets' | 'configs' | 'models' | 'extensions'
>;

/** @throws Unfit */
export function bindModel(model: TreeMap): ProjectParts {
  const extensions = Object.fromEntries(Object.entries(model).filter(([key]) => key.startsWith('x-')));
  return {
    services: bindAll(model, 'services', (value, name) => ({
      name,
      command: null,
      entrypoint: null,
      ...(read(value, serviceFields, ['services', name]) as Partial<Service>),
    })),
    networks: bindAll(model, 'networks', (value, name) => ({
      name,
      ipam: {},
      ...(read(value, networkFields, ['networks', name]) as Partial<Network>),
    })),
    volumes: bindAll<Volume>(model, 'volumes', (value, name) => ({
      name,
      ...read(value, volumeFields, ['volumes', name]),
    })),
    secrets: bindAll<FileObject>(model, 'secrets', (value, name) => ({
      name,
      ...read(value, fileObjectFields, ['secrets', name]),
    })),
    configs: bindAll<FileObject>(model, 'configs', (value, name) => ({
      name,
      ...read(value, fileObjectFields, ['configs', name]),
    })),
    models: bindAll<Model>(model, 'models', (value, name) => ({
      model: '',
      ...(read(value, modelFields, ['models', name]) as Partial<Model>),
    })),
    ...(Object.keys(extensions).length === 0 ? {} : { extensions }),
  };
}

function read(value: Tree, fields: Fields, path: readonly string[]): Record<string, unknown> {
  return readFields(isMap(value) ? value : mapOf([]), fields, path);
}

function bindAll<T>(model: TreeMap, kind: string, bind: (value: Tree, name: string) => T): Record<string, T> {
  const all = model[kind];
  if (!isMap(all)) return {};
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, bind(value, name)]));
}
