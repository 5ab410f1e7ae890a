/** What git leaves in the folders of submodules: a `.git` that leads to where their repositories were while they were checked out. */
import { lstatSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';

const slash = Buffer.from('/');
const dotGit = Buffer.from('.git');

/** Removes each `.git` below the folder, which nobody else writes to. No checked-out file is called so: git refuses such trees. */
export async function removeGitFiles(folder: string, signal: AbortSignal): Promise<void> {
  const pending = [Buffer.from(folder)];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    signal.throwIfAborted();
    for (const name of readdirSync(directory, { encoding: 'buffer' })) {
      const path = Buffer.concat([directory, slash, name]);
      if (name.equals(dotGit)) await rm(path, { recursive: true, force: true });
      else if (lstatSync(path).isDirectory()) pending.push(path);
    }
  }
}
