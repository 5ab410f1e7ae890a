/** Help in Docker's layout, with examples. */
import type { Command } from '../command.ts';
import { parseFlagTable } from '../flag/table.ts';
import { flagUsages } from '../flag/usages.ts';
import { defaultConfigFolder } from '../../context/index.ts';
import { globalFlags } from '../global-options.ts';
import { aliasesOf, root, type TreeNode } from '../tree.ts';

export interface HelpSubject {
  path: readonly string[];
  node: TreeNode;
  command: Command | undefined;
  width: number;
}

export function helpText({ path, node, command, width }: HelpSubject): string {
  if (path.length === 0) return rootHelp(width);
  const parts = [`${usageLines(path, node, command)}\n${node.short}\n`];
  if (command?.long !== undefined) parts.push(`${command.long.trim()}\n`);
  const aliases = aliasesOf(node);
  if (aliases.length > 1) parts.push(`Aliases:\n  ${aliases.map((alias) => `wherry ${alias}`).join(', ')}\n`);
  if (node.flags !== undefined) parts.push(`Options:\n${flagUsages(parseFlagTable(node.flags), width - 1)}`);
  if (node.children !== undefined) {
    parts.push(`Commands:\n${commandLines(Object.entries(node.children))}`);
    parts.push(`Run 'wherry ${path.join(' ')} COMMAND --help' for more information on a command.\n`);
  }
  const specs = parseFlagTable(command?.flags ?? '');
  if (specs.length > 0) parts.push(`Options:\n${flagUsages(specs, width - 1)}`);
  if (command?.examples !== undefined) parts.push(`Examples:\n${indent(command.examples)}`);
  return parts.join('\n');
}

export function usageLines(path: readonly string[], node: TreeNode, command: Command | undefined): string {
  const name = ['wherry', ...path].join(' ');
  if (path.length === 0) return `Usage:  ${name} [OPTIONS] COMMAND [ARG...]\n`;
  if (node.children !== undefined) return `Usage:  ${name} ${node.flags === undefined ? '' : '[OPTIONS] '}COMMAND\n`;
  const forms = (command?.use ?? '').split('\n').map((form) => `${name} ${form.trim()}`.trim());
  return `Usage:  ${forms.join('\n\t')}\n`;
}

const common = ['run', 'exec', 'ps', 'build', 'pull', 'push', 'images', 'login', 'logout', 'search', 'version', 'info'];

function rootHelp(width: number): string {
  const entries = Object.entries(root.children!).filter(([, node]) => node.hidden !== true);
  const first = common.map((name) => entries.find((entry) => entry[0] === name)!);
  const groups = entries.filter(([, node]) => node.children !== undefined);
  const others = entries.filter((entry) => !groups.includes(entry) && !common.includes(entry[0]));
  const specs = parseFlagTable(globalFlags(defaultConfigFolder(process.env)));
  return `Usage:  wherry [OPTIONS] COMMAND

A Docker-compatible container platform for local-first applications

Common Commands:
${commandLines(first, entries)}
Management Commands:
${commandLines(groups, entries)}
Commands:
${commandLines(others, entries)}
Global Options:
${flagUsages(specs, width - 1)}
Examples:
${indent(rootExamples)}
Run 'wherry COMMAND --help' for more information on a command.
`;
}

const rootExamples = `
# Run a web server in the background and publish it on this machine only
wherry run -d --name web -p 127.0.0.1:8080:80 nginx
# See what runs, and who can reach it
wherry ps
# Look inside it
wherry exec -it web sh
# Stop it and remove it
wherry rm -f web
# Use Docker's own command line with this daemon
DOCKER_HOST=unix:///run/wherry/wherry.sock docker ps
`;

function commandLines(shown: [string, TreeNode][], all: [string, TreeNode][] = shown): string {
  const longest = Math.max(...all.map(([name]) => name.length), 10);
  return shown
    .filter(([, node]) => node.hidden !== true)
    .map(([name, node]) => `  ${name.padEnd(longest)}  ${node.short}\n`)
    .join('');
}

function indent(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => `  ${line.startsWith('#') ? line : `$ ${line}`}\n`)
    .join('');
}
