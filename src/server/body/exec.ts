/** Bodies of exec create and exec start. */
import type { ExecCreateBody } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import { boolean, command, object, pair, text, texts } from './shape.ts';

const execShape = object<ExecCreateBody>({
  AttachStdin: boolean,
  AttachStdout: boolean,
  AttachStderr: boolean,
  DetachKeys: text,
  Tty: boolean,
  Cmd: command,
  Env: texts,
  User: text,
  WorkingDir: text,
  Privileged: boolean,
  ConsoleSize: pair,
});

interface ExecStartBody {
  Detach?: boolean;
  Tty?: boolean;
  ConsoleSize?: [number, number];
}
const startShape = object<ExecStartBody>({ Detach: boolean, Tty: boolean, ConsoleSize: pair });

/** @throws Fault invalid, also without a command. */
export function parseExecBody(value: unknown): ExecCreateBody {
  const body = execShape(value, '');
  if ((body.Cmd ?? []).length === 0) throw new Fault('invalid', 'No exec command specified');
  return body;
}

export interface ExecStart {
  readonly detach: boolean;
  readonly tty: boolean;
  readonly consoleSize: { height: number; width: number } | undefined;
}

export function parseExecStart(value: unknown): ExecStart {
  const body = value === undefined ? {} : startShape(value, '');
  const [height = 0, width = 0] = body.ConsoleSize ?? [];
  return {
    detach: body.Detach ?? false,
    tty: body.Tty ?? false,
    consoleSize: height > 0 && width > 0 ? { height, width } : undefined,
  };
}
