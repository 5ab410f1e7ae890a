import { cleanPath } from '../../dockerfile/index.ts';

/** A path as WORKDIR and COPY's destination mean it: from `workingDir` where it does not begin at the root. Clean, without a slash at its end. */
export function absolutePath(workingDir: string, path: string): string {
  return cleanPath(path.startsWith('/') ? path : `${workingDir === '' ? '/' : workingDir}/${path}`);
}

/** The same, with a slash at its end where the text says a folder: `x/`, `.`, or nothing. */
export function destinationPath(workingDir: string, path: string): string {
  const absolute = absolutePath(workingDir, path);
  const isFolder = path === '' || path === '.' || path.endsWith('/') || path.endsWith('/.');
  return isFolder && absolute !== '/' ? `${absolute}/` : absolute;
}

/** A source's path within its root; no `..` leads out of it. */
export function sourcePath(path: string): string {
  return cleanPath(`/${path}`);
}
