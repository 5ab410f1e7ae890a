/** The exec calls. */
import type { ExecCreateBody, ExecInspect } from '../api/index.ts';
import type { Caller } from './caller.ts';
import type { Hijacked } from './transport.ts';

export interface ExecStartBody {
  Detach: boolean;
  Tty: boolean;
  ConsoleSize?: [number, number];
}

export type ExecCalls = ReturnType<typeof execCalls>;

export function execCalls(caller: Caller) {
  return {
    create: (container: string, body: ExecCreateBody) =>
      caller.json<{ Id: string }>('execCreate', { name: container, json: body }),
    start: (id: string, body: ExecStartBody): Promise<Hijacked> => caller.hijack('execStart', { name: id, json: body }),
    startDetached: (id: string, body: ExecStartBody) => caller.done('execStart', { name: id, json: body }),
    resize: (id: string, height: number, width: number) =>
      caller.done('execResize', { name: id, query: { h: height, w: width } }),
    inspect: (id: string) => caller.json<ExecInspect>('execInspect', { name: id }),
  };
}
