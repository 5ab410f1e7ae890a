/** docs/bench.md and its pictures, from bench/results.json: `node bench/page.ts`; a run of the bench does it at its end. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { figure, plot } from './plot.ts';
import type { Row } from './report.ts';

interface Result {
  date: string;
  engines: { name: string; version: string }[];
  rounds: number;
  rows: Row[];
  missing: string[];
  /** Of the machine; results of before it was noted have none. */
  machine?: string;
}

const root = resolve(import.meta.dirname, '..');

/** Cores, memory and kernel: what a figure means. */
export function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `${cpus().length} cores (${model}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release().split('-')[0]}`;
}

export function writePage(): void {
  const results = JSON.parse(readFileSync(join(root, 'bench/results.json'), 'utf8')) as Record<string, Result>;
  mkdirSync(join(root, 'docs/bench'), { recursive: true });
  const parts = Object.entries(results).map(([name, result]) => {
    const versions = result.engines.map((engine) => `${engine.name} ${engine.version}`).join(', ');
    const title = `${name}: ${versions}; ${result.date.slice(0, 10)}`;
    writeFileSync(join(root, `docs/bench/${name}.svg`), plot(title, result.rows));
    return section(name, result, versions);
  });
  writeFileSync(join(root, 'docs/bench.md'), `${head}\n${parts.join('\n')}`);
}

const head = `# Bench

Made by \`npm run bench\` (bench/README.md tells how it measures and what the limits are): medians, in brackets the least and the most. Red ticks in the pictures are limits. What is over its limit says so.
`;

function section(name: string, { date, rounds, rows, missing, machine: where }: Result, versions: string): string {
  const table = rows
    .filter(({ values }) => Object.keys(values).length > 0)
    .map((row) => `| ${row.what} | ${cells(row)} | ${verdicts(row)} |`);
  return [
    `## ${name}`,
    '',
    `${versions}. ${date.slice(0, 10)}, ${rounds} rounds${where === undefined ? '' : `, ${where}`}.`,
    '',
    `![${name}](bench/${name}.svg)`,
    '',
    '| what | measured | against its limit |',
    '| --- | --- | --- |',
    ...table,
    ...(missing.length === 0 ? [] : ['', ...missing.map((line) => `Not measured: ${line.replaceAll('|', '/')}`)]),
    '',
  ].join('\n');
}

function cells({ values, unit }: Row): string {
  return Object.entries(values)
    .map(([column, { median, min, max, runs }]) => {
      const spread = runs > 1 ? ` (${figure(min)}–${figure(max)})` : '';
      return `${column} ${figure(median)}${spread}`;
    })
    .join(', ')
    .concat(` ${unit}`);
}

function verdicts({ values, limits }: Row): string {
  return limits
    .map(({ of, by, atMost }) => {
      const value = values[of]?.median;
      if (value === undefined) return `${of} not measured`;
      if (typeof by === 'number') return `${of} at most ${by}: ${value <= by ? 'kept' : '**missed**'}`;
      const against = values[by]?.median;
      if (against === undefined) return `${by} not measured`;
      const ratio = value / against;
      return `${of}/${by} ${ratio.toFixed(2)} (at most ${atMost.toFixed(2)}${ratio <= atMost ? '' : ', **missed**'})`;
    })
    .join('; ');
}

if (import.meta.main) writePage();
