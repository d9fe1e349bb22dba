import { readFile, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { writeFileQuick } from './atomic-file.ts';

/** What a results folder holds of us: the run's id, then the paths of all its files, one a line. */
const MANIFEST = '.onetear-files';

/** Records which files of the folder are ours. Paths are relative to it. */
export async function writeManifest(resultsDir: string, run: string, files: ReadonlySet<string>): Promise<void> {
  await writeFileQuick(path.join(resultsDir, MANIFEST), `${[run, ...[...files].toSorted()].join('\n')}\n`);
}

/**
 * Removes what another run left in the folder (`--results` given twice), for its files would mix with ours. Only files that the manifest of that run
 * names, and folders that are empty then: all else belongs to the user. Killed at any line, it goes on when called again.
 */
export async function removeForeign(resultsDir: string, run: string): Promise<void> {
  let text: string;
  try {
    text = await readFile(path.join(resultsDir, MANIFEST), 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  const [before, ...names] = text.trimEnd().split('\n');
  if (before === run) return;
  const folders = new Set<string>();
  for (const name of names) {
    // The file lies where users can write: a name that leads out of the folder is not ours.
    if (name === '' || path.isAbsolute(name) || name.split('/').includes('..')) continue;
    await rm(path.join(resultsDir, name), { force: true }).catch(ignoreNotThere);
    for (let folder = path.dirname(name); folder !== '.'; folder = path.dirname(folder)) folders.add(folder);
  }
  // The deepest first.
  for (const folder of [...folders].toSorted((a, b) => b.length - a.length)) {
    await rmdir(path.join(resultsDir, folder)).catch(ignoreNotThere);
  }
  await rm(path.join(resultsDir, MANIFEST), { force: true });
}

/** Somebody else removed it, made something else of it, or keeps files of his own there: then there is nothing for us to remove. */
function ignoreNotThere(error: unknown): void {
  if (!['ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST', 'ERR_FS_EISDIR', 'EISDIR'].includes(codeOf(error))) throw error;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
