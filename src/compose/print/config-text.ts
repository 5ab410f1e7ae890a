/** What `config` prints: a project as a compose file again. */
import { stringify } from 'yaml';
import type { Project } from '../project.ts';
import type { TreeMap } from '../tree.ts';
import { goJson } from './go-json.ts';
import { projectTree } from './project-tree.ts';

export type ConfigFormat = 'yaml' | 'json';

/** Dollars are doubled: read again, nothing of it is a variable. */
export function configText(project: Project, format: ConfigFormat): string {
  return treeText(projectTree(project, format), format).replaceAll('$', '$$$$');
}

/** As it is, variables and all (`--no-interpolate`). */
export function treeText(tree: TreeMap, format: ConfigFormat): string {
  if (format === 'json') return `${goJson(tree, 2)}\n`;
  return stringify(tree, {
    version: '1.2',
    // What older readers take for a boolean or a number ("y", "off") is quoted, as Go's yaml.v3 does.
    compat: 'yaml-1.1',
    indent: 2,
    lineWidth: 0,
    singleQuote: false,
    aliasDuplicateObjects: false,
  });
}
