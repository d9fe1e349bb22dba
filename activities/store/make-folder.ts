import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes a folder and what is missing above it, level by level. Not `mkdir({ recursive: true })`: below a folder that takes no entries
 * (`/proc`) Node repeats that for ever, at full speed and deaf to signals. Throws the error of the level that could not be made.
 */
export function makeFolder(folder: string): void {
  const missing: string[] = [];
  let level = path.resolve(folder);
  while (!isFolder(level)) {
    missing.unshift(level);
    level = path.dirname(level);
  }
  for (const each of missing) {
    try {
      mkdirSync(each);
    } catch (error) {
      // Somebody else was faster.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !isFolder(each)) throw error;
    }
  }
}

/** False for what does not exist. What is there and is no folder stays for `mkdir` to complain about. */
function isFolder(name: string): boolean {
  const found = statSync(name, { throwIfNoEntry: false });
  return found?.isDirectory() === true;
}
