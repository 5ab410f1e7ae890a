/** Files on their way: one after the other, with progress, and each with its own end. */
import type { Problem, Uploaded } from '../../../api.ts';

export interface Upload {
  readonly id: number;
  readonly name: string;
  readonly size: number;
  /** 0 to 1. */
  progress: number;
  state: 'waiting' | 'sending' | 'done' | 'here already' | 'refused';
  message: string | undefined;
  documentId: string | undefined;
}

export interface Chosen {
  file: File;
  /** Relative, of a folder that was dropped. */
  path: string | undefined;
}

let count = 0;
let uploads: Upload[] = [];
let queue: { upload: Upload; chosen: Chosen; done: (stored: Uploaded['stored'][number] | undefined) => void }[] = [];
let isSending = false;
const listeners = new Set<(all: readonly Upload[]) => void>();

export function watchUploads(listener: (all: readonly Upload[]) => void): () => void {
  listeners.add(listener);
  listener(uploads);
  return () => void listeners.delete(listener);
}

export function clearUploads(): void {
  uploads = uploads.filter(({ state }) => state === 'waiting' || state === 'sending');
  tell();
}

/** @returns what was stored of each, or undefined where it was refused */
export function upload(chosen: readonly Chosen[]): Promise<(Uploaded['stored'][number] | undefined)[]> {
  const promises = chosen.map(
    (each) =>
      new Promise<Uploaded['stored'][number] | undefined>((done) => {
        const one: Upload = {
          id: ++count,
          name: each.path ?? each.file.name,
          size: each.file.size,
          progress: 0,
          state: 'waiting',
          message: undefined,
          documentId: undefined,
        };
        uploads = [...uploads, one];
        queue.push({ upload: one, chosen: each, done });
      }),
  );
  tell();
  void run();
  return Promise.all(promises);
}

async function run(): Promise<void> {
  if (isSending) return;
  isSending = true;
  for (let next = queue.shift(); next !== undefined; next = queue.shift())
    next.done(await send(next.upload, next.chosen));
  isSending = false;
}

/** fetch tells no progress of what it sends; XMLHttpRequest does. */
function send(one: Upload, { file, path }: Chosen): Promise<Uploaded['stored'][number] | undefined> {
  return new Promise((resolve) => {
    const form = new FormData();
    if (path !== undefined) form.append('path', path);
    form.append('file', file, file.name);
    const request = new XMLHttpRequest();
    const end = (state: Upload['state'], message?: string, stored?: Uploaded['stored'][number]): void => {
      one.state = state;
      one.message = message;
      one.documentId = stored?.document.id;
      tell();
      resolve(stored);
    };
    request.upload.addEventListener('progress', ({ loaded, total }) => {
      one.progress = total === 0 ? 1 : loaded / total;
      tell();
    });
    request.addEventListener('error', () =>
      end('refused', 'PKC does not answer, or the file cannot be read (a folder?). Try again.'),
    );
    request.addEventListener('load', () => {
      const answer = parsed(request.responseText) as Partial<Uploaded & Problem>;
      const stored = answer.stored?.[0];
      if (stored !== undefined) return end(stored.existed ? 'here already' : 'done', undefined, stored);
      end('refused', answer.refused?.[0]?.message ?? answer.error?.message ?? `The server answered ${request.status}.`);
    });
    request.open('POST', '/v1/upload');
    one.state = 'sending';
    tell();
    request.send(form);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function tell(): void {
  uploads = [...uploads];
  for (const listener of listeners) listener(uploads);
}

/** Files of what was dropped, folders walked. */
export async function filesOf(data: DataTransfer): Promise<Chosen[]> {
  const entries = [...data.items].map((each) => each.webkitGetAsEntry()).filter((each) => each !== null);
  if (entries.length === 0) return [...data.files].map((file) => ({ file, path: undefined }));
  const found: Chosen[] = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

const mostFiles = 20_000;

async function walk(entry: FileSystemEntry, found: Chosen[]): Promise<void> {
  if (found.length >= mostFiles) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    const path = entry.fullPath.replace(/^\//, '');
    found.push({ file, path: path.includes('/') ? path : undefined });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const each of some) if (!each.name.startsWith('.')) await walk(each, found);
  }
}
