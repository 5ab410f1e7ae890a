/** The runtime's words for a failed start or exec, in the form that Docker's clients match (exit codes 126 and 127 come from it). Pure. */
import { Fault } from '../std/index.ts';

export interface StartFailure {
  fault: Fault;
  exitCode: number;
  /** The core of it, as exec prints it: `exec: "x": executable file not found in $PATH`. */
  detail: string;
}

export function startFailure(words: string, command: string): StartFailure {
  const text = unquoted(words.replace(/^(crun|runc): /, '')).replace(
    /^exec failed: (unable to start container process: )?/,
    '',
  );
  const quoted = JSON.stringify(command);
  const dressed = (detail: string): string =>
    `failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ${detail}: unknown`;
  const known = (detail: string, exitCode: number): StartFailure => ({
    fault: new Fault('invalid', dressed(detail)),
    exitCode,
    detail,
  });
  if (/executable file .*not found/i.test(text)) {
    if (command.includes('/')) return known(`exec: ${quoted}: stat ${command}: no such file or directory`, 127);
    return known(`exec: ${quoted}: executable file not found in $PATH`, 127);
  }
  if (
    /(exec|stat|open executable).*no such file or directory/i.test(text) ||
    /^(exec|open) .*: no such file/i.test(text)
  ) {
    if (!/mount|rootfs|chdir|cwd|cgroup|cannot stat/i.test(text))
      return known(`exec: ${quoted}: stat ${command}: no such file or directory`, 127);
  }
  const folder = /^chdir `(.*)`: (no such file or directory|not a directory)/i.exec(text);
  if (folder !== null)
    return known(
      `chdir to cwd (${JSON.stringify(folder[1])}) set in config.json failed: ${folder[2]!.toLowerCase()}`,
      127,
    );
  if (/chdir|cwd/i.test(text) && /no such file|not a directory/i.test(text)) return known(text, 127);
  if (/is a directory/i.test(text)) return known(`exec: ${quoted}: is a directory`, 126);
  if (/permission denied|open executable: operation not permitted/i.test(text))
    return known(`exec: ${quoted}: permission denied`, 126);
  if (/exec format error/i.test(text)) return known(`exec ${command}: exec format error`, 255);
  return { fault: new Fault('internal', dressed(text)), exitCode: 128, detail: text };
}

/** runc writes some messages as a Go string. */
function unquoted(text: string): string {
  if (!/^".*"$/s.test(text)) return text;
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}
