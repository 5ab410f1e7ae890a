/** A project as `config` prints it. */
import type { FileObject, Project } from '../project.ts';
import { type Fields, printFields, type PrintAs } from '../shape/kinds.ts';
import { fileObjectFields, modelFields, networkFields, serviceFields, volumeFields } from '../shape/shapes.ts';
import { mapOf, type Tree, type TreeMap } from '../tree.ts';

/** In docker compose's order: attributes as its structures have them, names sorted. */
export function projectTree(project: Project, as: PrintAs): TreeMap {
  const secrets = withoutContents(project.secrets, () => true);
  const configs = withoutContents(project.configs, ({ environment }) => environment !== undefined);
  const sections: [string, Tree | undefined][] = [
    ['name', project.name],
    ['services', all(project.services, serviceFields, as) ?? mapOf([])],
    ['networks', all(project.networks, networkFields, as)],
    ['volumes', all(project.volumes, volumeFields, as)],
    ['secrets', all(secrets, fileObjectFields, as)],
    ['configs', all(configs, fileObjectFields, as)],
    ['models', as === 'yaml' ? all(project.models, modelFields, as) : undefined],
    ...Object.entries((project.extensions as TreeMap | undefined) ?? {}),
  ];
  const printed = sections.filter((entry): entry is [string, Tree] => entry[1] !== undefined);
  return mapOf(as === 'json' ? printed.toSorted(([a], [b]) => (a < b ? -1 : 1)) : printed);
}

function all(values: Readonly<Record<string, object>>, fields: Fields, as: PrintAs): TreeMap | undefined {
  const names = Object.keys(values).toSorted();
  if (names.length === 0) return undefined;
  return mapOf(names.map((name) => [name, printFields(values[name] as Record<string, unknown>, fields, as)]));
}

/** What is secret, or came from the environment, is not shown. */
function withoutContents(
  objects: Readonly<Record<string, FileObject>>,
  hidden: (object: FileObject) => boolean,
): Record<string, FileObject> {
  return Object.fromEntries(
    Object.entries(objects).map(([name, object]) => {
      const { content: _, ...rest } = object;
      return [name, hidden(object) ? rest : object];
    }),
  );
}
