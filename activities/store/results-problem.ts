import path from 'node:path';

/**
 * What to say when an error of {@link writeReports} is one of the file system of the results folder (full, gone, read-only):
 * `ENOSPC: no space left on device at FILE`. `undefined` for all others, above all for those of the record and the store, which are ours.
 */
export function resultsProblem(error: unknown, resultsDir: string): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error)) return undefined;
  const { code, syscall, path: from, dest } = error as NodeJS.ErrnoException & { readonly dest?: string };
  if (code === undefined) return undefined;
  const place = dest ?? from;
  // Only writing has no name with it: everything that is read has one, or is the record's.
  const known = place === undefined ? WRITING.has(syscall ?? '') : isBelow(place, resultsDir) || isBelow(resultsDir, place);
  if (!known) return undefined;
  const words = /^[A-Z0-9]+: ([^,]+)/u.exec(error.message)?.[1];
  return `${code}${words === undefined ? '' : `: ${words}`} at ${place ?? resultsDir}`;
}

const WRITING: ReadonlySet<string> = new Set(['write', 'writev', 'fsync', 'fdatasync', 'close', 'ftruncate']);

function isBelow(name: string, folder: string): boolean {
  const relative = path.relative(folder, name);
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}
