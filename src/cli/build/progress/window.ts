/** The last lines of a running step as plain text: what moves the cursor or sets colours in its output has no place in a window of ours. */

// oxlint-disable-next-line no-control-regex
const escapes = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])/g;
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u001f\u007f-\u009f]/g;

/** @param lines as traced, each with its seconds in front */
export function windowLines(lines: readonly string[], count: number): string[] {
  return lines
    .map((line) => cleaned(line.slice(line.indexOf(' ') + 1)))
    .filter((line) => line.trim() !== '')
    .slice(-count);
}

/** What stands on the line in the end: progress bars write it over and over. */
export function cleaned(line: string): string {
  const plain = line.replaceAll(escapes, '').replace(/\r+$/, '');
  const last = plain.slice(plain.lastIndexOf('\r') + 1);
  return last.replaceAll('\t', '    ').replaceAll(controls, '');
}
