/** Every command: it loads, its flags parse, its help teaches. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseFlagTable } from '../flag/table.ts';
import { aliasesOf, root, type TreeNode } from '../tree.ts';
import { helpText } from './help.ts';
import { describeUnknown, distance, suggestions } from './suggest.ts';

function leaves(node: TreeNode, path: string[] = []): [string[], TreeNode][] {
  return Object.entries(node.children ?? {}).flatMap(([name, child]) =>
    child.children === undefined ? [[[...path, name], child] as [string[], TreeNode]] : leaves(child, [...path, name]),
  );
}

describe('help', () => {
  for (const [path, node] of leaves(root)) {
    test(path.join(' '), async () => {
      const { command } = await node.load!();
      const specs = [...parseFlagTable(command.flags ?? ''), ...parseFlagTable(command.hidden ?? '', true)];
      const names = specs.map((spec) => spec.name);
      assert.equal(new Set(names).size, names.length, 'a flag is declared twice');
      const shorts = specs.flatMap((spec) => spec.short ?? []);
      assert.equal(new Set(shorts).size, shorts.length, 'a letter is taken twice');
      for (const spec of specs)
        assert.ok(names.includes(spec.target), `--${spec.name} means --${spec.target}, which is not there`);
      for (const name of Object.keys(command.checks ?? {}))
        assert.ok(names.includes(name), `--${name} is checked but not declared`);
      const text = helpText({ path, node, command, width: 80 });
      assert.match(text, new RegExp(`^Usage:  wherry ${path.join(' ')}`));
      if (node.hidden !== true && path.at(-1) !== 'build') assert.match(text, /\nExamples:\n {2}# .+\n {2}\$ /);
    });
  }

  test('aliases name every way to call a command', () => {
    const ps = root.children!['ps']!;
    assert.deepEqual(aliasesOf(ps), ['container ls', 'container list', 'container ps', 'ps']);
  });

  test('the first page', () => {
    const text = helpText({ path: [], node: root, command: undefined, width: 80 });
    for (const name of ['run', 'container', 'attach', 'Global Options:', 'Examples:'])
      assert.ok(text.includes(name), name);
    assert.ok(!text.includes('__complete'));
  });
});

test('mistyped commands', () => {
  assert.equal(distance('abc', 'acb'), 1);
  assert.equal(distance('kitten', 'sitting'), 3);
  assert.deepEqual(suggestions('psu', Object.entries(root.children!)), ['ps']);
  assert.deepEqual(suggestions('pu', Object.entries(root.children!)), ['ps', 'pull', 'push']);
  assert.match(
    describeUnknown([], root, 'imagse'),
    /unknown command: wherry imagse\n\nDid you mean one of these\?\n\twherry image\n\twherry images\n/,
  );
  assert.match(describeUnknown([], root, 'swarm'), /Swarm mode is not part of this version/);
});
